"""The binary RPMs: the source RPM rebuilt by the distribution's own rpmbuild and compiler."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.build import lastjob, rpmbuild
from hamkit.build.engine import Engine, Job, elsewhere
from hamkit.build.image import Image
from hamkit.build.kernel24.packed import KERNEL_TAR, PackedKernel
from hamkit.build.srpm import Srpm
from hamkit.errors import Failure
from hamkit.files import cache_root, folder_whole, sha256_file, sha256_text, write_whole
from hamkit.progress import Progress
from hamkit.render.rpmspec import flavour_macro
from hamkit.rpmfiles import extract_rpm
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

WARNING = re.compile(r"^(?!make: |(?-i:warning: )).*\bwarning: ", re.IGNORECASE)  # rpm's own stand first
FOR_A_KERNEL = {"headers", "kmod", "kmp"}  # conventions whose packages hold modules for the image's kernels


@dataclass(frozen=True)
class BuildRequest:
    """``testing`` builds the module with its test ioctl and fault injection, never for a release;
    ``elsewhere`` builds as somebody else would; ``kernel`` is a 2.4 kernel to compile the modules for,
    in an image that holds none."""

    srpm: Srpm
    image: Image
    log: Path
    testing: bool = False
    renew: bool = False
    elsewhere: bool = False
    kernel: PackedKernel | None = None


@dataclass(frozen=True)
class Rpms:
    """Binary RPMs in the cache, sorted by name."""

    paths: tuple[Path, ...]
    stage: StageResult


def can_build(image: Image) -> bool:
    """Whether the image holds all that the packages are made of: where they are for a kernel, that kernel."""
    return bool(image.kernels) or not set(image.spec.kernel.conventions) & FOR_A_KERNEL


def cached_rpms(
    srpm_sha256: str, image: Image, testing: bool, kernel: PackedKernel | None = None
) -> tuple[Path, ...]:
    """The RPMs of the same inputs, if they were built before."""
    return tuple(sorted(_folder(srpm_sha256, image, testing, kernel).glob("*.rpm")))


def build_rpms(request: BuildRequest, engine: Engine, progress: Progress) -> Rpms:
    """Run ``rpmbuild --rebuild`` in the image, without network; the results lie in the cache.

    Warnings of the compiler fail the stage. Raises Failure with the last lines of rpmbuild, MissingNeed
    where the packages are for one kernel and the image holds none.
    """
    watch, image = Stopwatch(), request.image
    if not can_build(image):
        image.release(None)
    digest = sha256_file(request.srpm.path)
    inputs = (digest, image, request.testing, request.kernel)
    paths = () if request.renew else cached_rpms(*inputs)
    cached = bool(paths)
    if not paths:
        with progress.step(f"rpmbuild --rebuild in the image of {image.spec.name}") as step:
            job = _job(request)
            job = elsewhere(job) if request.elsewhere else job
            lastjob.keep(image.spec.name, job)
            done = engine.run(job, step.note)
        if warnings := compiler_warnings(done.text):
            raise Failure("the compiler warns:\n" + "\n".join(warnings), f"log: {request.log}")
        packages = {name: raw for name, raw in done.files.items() if name.endswith(".rpm")}
        if not packages:
            raise Failure("rpmbuild --rebuild left no RPM", f"log: {request.log}")
        with folder_whole(_folder(*inputs)) as work:
            for name, raw in packages.items():
                write_whole(work / name, raw)
        paths = cached_rpms(*inputs)
    kernels = ", ".join(_releases(request)) or "no kernel: without modules"
    more = {"kernel": f"sha256:{request.kernel.digest}"} if request.kernel else {}
    stage = StageResult(
        "build",
        Verdict.PASS,
        watch.seconds,
        f"{len(paths)} RPMs for {kernels}",
        inputs={"srpm": f"sha256:{digest}", "image": image.digest} | more,
        outputs=tuple(Artifact.of(p) for p in paths),
        cached=cached,
    )
    return Rpms(paths, stage)


def compiler_warnings(text: str) -> list[str]:
    """Lines of a build's output in which gcc, ld or modpost warn."""
    return [line for line in text.splitlines() if WARNING.search(line)]


def installed_files(paths: tuple[Path, ...], release: str) -> dict[str, bytes]:
    """What the RPMs install on a machine that runs ``release``, by absolute path.

    Modules of other kernels, documentation and headers are left out. ``/lib`` is ``/usr/lib`` where a
    distribution has merged them.
    """
    modules = f"/lib/modules/{release}/"
    wanted = (modules, f"/usr{modules}", "/usr/sbin/", "/usr/libexec/")
    return {
        name.removeprefix("/usr") if name.startswith(f"/usr{modules}") else name: content
        for path in paths
        for name, content in extract_rpm(path, lambda name: name.startswith(wanted)).items()
    }


def _releases(request: BuildRequest) -> tuple[str, ...]:
    return (request.kernel.release,) if request.kernel else tuple(request.image.kernels.values())


def _macros(image: Image, testing: bool, kernel: PackedKernel | None) -> dict[str, str]:
    kernels = {f"kernel_{flavour_macro(f)}": release for f, release in image.kernels.items()}
    packed = dict(kernel.macros) if kernel else {}
    return rpmbuild.defines(image.spec) | kernels | packed | ({"ham_test": "1"} if testing else {})


def _job(request: BuildRequest) -> Job:
    source, kernel = request.srpm.path, request.kernel
    macros = _macros(request.image, request.testing, kernel)
    command = rpmbuild.argv(request.image.spec, ["--rebuild", source.name], macros)
    files, env = {source.name: source.read_bytes()}, rpmbuild.environment(request.srpm.epoch)
    if kernel is not None:
        command, files, env = kernel.wrapped(command), files | {KERNEL_TAR: kernel.tar}, {**kernel.env, **env}
    return Job(request.image.digest, command, files, request.log, env)


def _folder(srpm_sha256: str, image: Image, testing: bool, kernel: PackedKernel | None) -> Path:
    packed = kernel.digest if kernel else ""
    key = sha256_text(srpm_sha256, image.digest, repr(_macros(image, testing, kernel)), packed)
    return cache_root() / "rpms" / key
