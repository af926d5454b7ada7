"""HAM's modules for one 2.4 kernel: same compiler, same flags, that kernel's own configured headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from hamkit.build.kernel24.build import FAULT, MAKE_WORDS, Kernel
from hamkit.build.kernel24.programs import SOURCES
from hamkit.build.kernel24.toolchain import Toolchain, left_out_flags
from hamkit.build.kernel24.workspace import copy_part, environment, make_tools, tools_digest_text
from hamkit.errors import Failure
from hamkit.files import cache_root, folder_whole, scratch_folder, sha256_text, sha256_tree
from hamkit.kernel.csource import ENCODING
from hamkit.progress import Progress
from hamkit.run import run
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

LAYOUT = "2"
NAMES = ("ham.o", "mhp_sim.o", "mhp_qemu.o")
QUOTED = 6
DEPENDS = "tmp_include_depends"
SAID = "messages"  # of the compiler, beside the modules


@dataclass(frozen=True)
class ModulesRequest:
    """``testing``: with the test ioctl and fault injection."""

    kernel: Kernel
    toolchain: Toolchain
    testing: bool = False
    renew: bool = False


@dataclass(frozen=True)
class Modules:
    """``folder`` holds ham.o and the MHP drivers."""

    folder: Path
    stage: StageResult

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(sorted(self.folder.glob("*.o")))

    def content(self) -> dict[str, bytes]:
        """Module's name to content."""
        return {path.stem: path.read_bytes() for path in self.paths}


def build_modules(request: ModulesRequest, progress: Progress) -> Modules:
    """Compile, or take from the cache. Raises Failure with the first faults of the compiler."""
    watch, folder = Stopwatch(), modules_folder(request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        cached = folder.is_dir() and not request.renew
        if not cached:
            with progress.step("build modules"), folder_whole(folder) as out:
                _compile(request, out)
    paths = sorted(folder.glob("*.o"))
    stage = StageResult(
        "modules",
        Verdict.PASS,
        watch.seconds,
        ", ".join(path.name for path in paths),
        {"ham-src": f"sha256:{sha256_tree(SOURCES)}"},
        tuple(Artifact.of(path) for path in paths),
        {"release": request.kernel.release, "testing": request.testing, "warnings": _warnings(folder)},
        cached,
    )
    return Modules(folder, stage)


def modules_folder(request: ModulesRequest) -> Path:
    """Where the modules for this kernel lie."""
    words = [request.kernel.folder.name, request.toolchain.digest, tools_digest_text(), str(request.testing)]
    return cache_root() / "modules24" / sha256_text(LAYOUT, sha256_tree(SOURCES), *words)


def _nothing_changed(tree: Path) -> None:
    """Vendors' and late trees first touch headers whose own includes are newer; the list of these, made by
    `make dep`, names the folder that the kernel was built in."""
    if DEPENDS in (tree / "Makefile").read_text(encoding=ENCODING):
        (tree / DEPENDS).write_text("all:\n")


def _warnings(folder: Path) -> list[str]:
    """What the compiler did not like."""
    return [line for line in (folder / SAID).read_text().splitlines() if "warning:" in line]


def _compile(request: ModulesRequest, out: Path) -> None:
    """In a folder below a copy of the kernel's tree, so that no path of this machine gets into a module."""
    log = cache_root() / "logs" / "modules24.log"
    with scratch_folder("modules") as scratch:
        work = scratch.resolve()
        tree, built = work / "tree", work / "tree" / "ham"
        copy_part(request.kernel.tree, tree)
        _nothing_changed(tree)
        make_tools(work / "tools", request.toolchain)
        made = environment(work / "tools", tree, request.toolchain, left_out_flags(request.toolchain, tree))
        words = [f"KDIR={tree}", f"OUT={built}", f"HAM_TEST={'y' if request.testing else 'n'}"]
        argv = ["make", "-C", str(SOURCES / "linux24"), *MAKE_WORDS, *words, "modules"]
        done = run(argv, package="make", env=made, log=log, check=False)
        if done.returncode != 0:
            said = FAULT.findall(done.stderr) or done.stderr.splitlines()[-QUOTED:]
            raise Failure(f"HAM does not compile: {'; '.join(said[:QUOTED])}", f"whole log: {log}")
        (out / SAID).write_text(done.stderr)
        for name in NAMES:
            (out / name).write_bytes((built / name).read_bytes())
