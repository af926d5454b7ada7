"""The guest's programs for 2.4: static i386, against musl, since a current glibc refuses such old kernels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from hamkit.files import cache_root, folder_whole, project_root, scratch_folder, sha256_text, sha256_tree
from hamkit.progress import Progress
from hamkit.run import find, run
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

COMPILER, PACKAGE = "i386-linux-musl-gcc", "musl-dev:i386"
SOURCES = project_root() / "ham-src"
TARGETS = ("tools", "proof", "loader24", "bench24")
# Today's compiler may use what a Pentium III lacks, and leaves notes that differ by where it ran.
FLAGS = "-Os -march=pentium3 -Wl,--build-id=none"
ELF = b"\x7fELF"
LAYOUT = "1"


@dataclass(frozen=True)
class Programs:
    """``folder`` holds one file a program."""

    folder: Path
    stage: StageResult

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(sorted(self.folder.iterdir()))

    def content(self) -> dict[str, bytes]:
        """Name to content."""
        return {path.name: path.read_bytes() for path in self.paths}


def build_programs(progress: Progress, renew: bool = False) -> Programs:
    """Compile hamctl and the proof programs, or take them from the cache.

    Raises MissingNeed without the compiler, Failure when ham-src does not compile.
    """
    watch, folder = Stopwatch(), programs_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        cached = folder.is_dir() and not renew
        if not cached:
            with progress.step("build programs for the guest"), folder_whole(folder) as out:
                _compile(find(COMPILER, PACKAGE), out)
    made = Programs(folder, StageResult("programs", Verdict.PASS, 0.0))
    stage = StageResult(
        "programs",
        Verdict.PASS,
        watch.seconds,
        f"{len(made.paths)} static programs for i386",
        {"ham-src": f"sha256:{sha256_tree(SOURCES)}"},
        tuple(Artifact.of(path) for path in made.paths),
        {"compiler": _version()},
        cached,
    )
    return Programs(folder, stage)


def programs_folder() -> Path:
    """Where they lie, for these sources and this compiler. Raises MissingNeed without the compiler."""
    return cache_root() / "programs24" / sha256_text(LAYOUT, FLAGS, sha256_tree(SOURCES), _version())


def _version() -> str:
    return run([find(COMPILER, PACKAGE), "--version"]).stdout.splitlines()[0]


def _compile(compiler: Path, out: Path) -> None:
    with scratch_folder("programs") as work:
        log = cache_root() / "logs" / "programs24.log"
        words = [f"OUT={work / 'out'}", f"CC={compiler}", f"CFLAGS={FLAGS}", *TARGETS]
        run(["make", "-C", SOURCES, *words], package="make", log=log)
        for path in sorted((work / "out").iterdir()):
            if path.is_file() and path.read_bytes()[:4] == ELF:
                (out / path.name).write_bytes(path.read_bytes())
                (out / path.name).chmod(0o755)
