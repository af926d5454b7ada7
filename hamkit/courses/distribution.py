"""The stages in order, each run at most once: what a task needs is what it asks for.

render -> image -> srpm -> check -> build -> boot -> prove; ``hamkit.courses.release`` adds publish.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from hamkit import scenarios, specs
from hamkit.build.engine import Engine
from hamkit.build.image import Image, ImageRequest, make_image, plan_image
from hamkit.build.kernel24.packed import pack_kernel
from hamkit.build.kernel24.toolchain import Toolchain
from hamkit.build.lock import Lock
from hamkit.build.rpms import BuildRequest, Rpms, build_rpms, cached_rpms, installed_files
from hamkit.build.srpm import (
    Rendered,
    Srpm,
    SrpmRequest,
    build_srpm,
    cached_srpm,
    epoch,
    render_kernel_patch,
    render_srpm,
)
from hamkit.courses.course import Planned, ProvingCourse
from hamkit.courses.linux24 import TreePipeline
from hamkit.errors import HamkitError, MissingNeed
from hamkit.files import sha256_file, write_whole
from hamkit.kernel.source import KernelSource
from hamkit.model.scenario import Scenario
from hamkit.progress import Progress
from hamkit.prove.boot import BootRequest, BootResult, boot
from hamkit.prove.compare import compare
from hamkit.prove.comparison import Comparison
from hamkit.prove.rpm import CheckRequest, CheckResult, check
from hamkit.render.kernelpatch import check_line
from hamkit.render.series import cached_series
from hamkit.specs import Spec
from hamkit.stage import StageResult

STAGES = ("image", "srpm", "check", "build", "boot", "prove")


@dataclass(frozen=True)
class Request:
    """What to run for one distribution.

    ``flavour`` None is the distribution's default; ``testing`` builds HAM with its test
    ioctl; ``renew`` uses nothing from the cache; ``keep`` gives the run a folder of its own;
    ``userland`` is a root file system (tar) to be the image's base from now on; ``stand_in`` has another
    distribution's kernel stand in where this one's cannot be had; ``lock`` are the image's packages.
    """

    spec: Spec
    scenario: Scenario
    flavour: str | None = None
    testing: bool = False
    renew: bool = False
    keep: bool = False
    userland: Path | None = None
    stand_in: bool = False
    lock: Lock | None = None


@dataclass
class Pipeline(ProvingCourse):
    """One run for one distribution. ``watch`` is told of each stage that ended, well or not."""

    request: Request
    progress: Progress
    watch: Callable[[StageResult], None] = lambda _: None
    results: list[StageResult] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return self.request.spec.name

    @property
    def keep(self) -> bool:
        return self.request.keep

    @cached_property
    def engine(self) -> Engine:
        return Engine.connect()

    @cached_property
    def rendered(self) -> Rendered:
        return render_srpm(self.request.spec)

    @cached_property
    def image(self) -> Image:
        with self.stage("image"):
            asked = ImageRequest(
                self.request.spec,
                epoch(),
                self.logs / "image.log",
                self.request.renew,
                self.request.userland,
                self.request.stand_in,
                self.request.lock,
            )
            made = make_image(asked, self.engine, self.progress)
        return self.ended(made, made.stage)

    @cached_property
    def srpm(self) -> Srpm:
        rendered, image = self.rendered, self.image
        with self.stage("srpm"):
            asked = SrpmRequest(rendered, image, self.logs / "srpm.log", self.request.renew)
            made = build_srpm(asked, self.engine, self.progress)
        return self.ended(made, made.stage)

    @cached_property
    def checked(self) -> CheckResult:
        """Our rules, and the distribution's own rpm in its image."""
        srpm, image, log = self.srpm, self.image.digest, self.logs / "check.log"
        with self.stage("check"):
            asked = CheckRequest(srpm.path, self.request.spec, source_date_epoch=srpm.epoch)
            made = check(asked, self.progress, lambda argv: self.engine.call(image, argv, srpm.path, log))
        return self.ended(made, made.stage)

    @cached_property
    def rpms(self) -> Rpms:
        srpm, image = self.srpm, self.image
        with self.stage("build"):
            asked = BuildRequest(
                srpm, image, self.logs / "rebuild.log", self.request.testing, self.request.renew
            )
            made = build_rpms(asked, self.engine, self.progress)
        return self.ended(made, made.stage)

    @cached_property
    def boot_request(self) -> BootRequest:
        """The distribution's kernel; modules and programs out of the RPMs."""
        release = self.image.release(self.request.flavour)
        return BootRequest(
            kernel=self.image.boot_file(release),
            release=release,
            files=installed_files(self.rpms.paths, release),
            scenario=self.request.scenario,
            out=self.logs / "boot",
        )

    @cached_property
    def booted(self) -> BootResult:
        asked = self.boot_request
        with self.stage("boot"):
            made = boot(asked, self.progress)
        return self.ended(made, made.stage)

    def compare(self, console: str, booted: BootResult) -> Comparison:
        return compare(self.request.scenario, console, booted.report)

    def plan(self) -> tuple[Planned, ...]:
        """What a run would do, and what the cache holds; starts nothing."""
        spec = self.request.spec
        name, there = plan_image(spec, self.engine, self.request.stand_in, self.request.lock)
        digest = self.engine.image_id(name) if there else None
        srpm = cached_srpm(self.rendered, digest) if digest else None
        image = self.image if digest else None
        built = bool(srpm and image and cached_rpms(sha256_file(srpm), image, self.request.testing))
        cached = not self.request.renew
        return (
            Planned("image", f"build {name}", there and cached),
            Planned("srpm", f"rpmbuild -bs, dialect {spec.rpm.spec_dialect}", srpm is not None and cached),
            Planned("check", f"hold the source RPM against rpm {spec.rpm.version}", False),
            Planned("build", "rpmbuild --rebuild, without network", built and cached),
            Planned("boot", f"boot in QEMU, scenario {self.request.scenario.name}", False),
            Planned("prove", "hold every step against the model", False),
        )


@dataclass
class PatchPipeline(Pipeline):
    """The same for the package of kernel patches, as far as its source RPM and the check of that.

    ``source`` is the tree that the series is rendered for, ``reserve_mb`` the window's default size, MiB.
    """

    source: KernelSource = field(kw_only=True)
    reserve_mb: int = field(default=128, kw_only=True)

    @cached_property
    def rendered(self) -> Rendered:
        with self.stage("patch"):
            check_line(self.request.spec)
            series = cached_series(self.source, self.reserve_mb, self.progress, self.request.renew)
            made = render_kernel_patch(self.request.spec, series)
        return self.ended(made, series.stage)


@dataclass
class KernelRpmPipeline(Pipeline):
    """A 2.4 distribution's packages with modules for one kernel: ``trees`` builds it of a source tree."""

    trees: TreePipeline = field(kw_only=True)

    def plan(self) -> tuple[Planned, ...]:
        """What a run would do; whether the build is in the cache only the kernel tells."""
        kernel = tuple(p for p in self.trees.plan() if p.stage in ("patch", "kernel"))
        return (*kernel, *(replace(p, cached=p.cached and p.stage != "build") for p in super().plan()))

    @property
    def toolchain(self) -> Toolchain:
        """The tree's. Raises MissingNeed saying too what the distribution's facts know of one."""
        try:
            return self.trees.toolchain
        except MissingNeed as bad:
            known = self.request.spec.compiler
            more = f"; {known.eol_image} has {', '.join(known.eol_packages)}" if known.eol_image else ""
            raise MissingNeed(bad.message, bad.hint + more) from bad

    @cached_property
    def rpms(self) -> Rpms:
        srpm, image = self.srpm, self.image
        toolchain = self.toolchain
        packed = pack_kernel(self.trees.kernel, toolchain)
        with self.stage("build"):
            log = self.logs / "rebuild.log"
            asked = BuildRequest(srpm, image, log, self.request.testing, self.request.renew, kernel=packed)
            made = build_rpms(asked, self.engine, self.progress)
        return self.ended(made, made.stage)


def every_image(progress: Progress, renew: bool = False) -> list[StageResult]:
    """The image of each distribution, under the distribution's name; one that cannot be made here tells
    why and does not keep the others from being made."""
    found = []
    scenario = scenarios.load()
    for name, spec in specs.load_all().items():
        pipeline = Pipeline(Request(spec, scenario, renew=renew), progress)
        with pipeline.locked(), suppress(HamkitError):
            pipeline.image  # noqa: B018 - asking makes it
        found += [replace(stage, name=name) for stage in pipeline.results]
    return found


def deliver(paths: tuple[Path, ...], out: Path) -> tuple[Path, ...]:
    """Copy finished artifacts into the caller's folder, each whole. Raises OSError when that fails."""
    return tuple(write_whole(out / path.name, path.read_bytes()) for path in paths)
