"""Everything built twice, the second time as somebody else would, and compared by digest.

What differs between the two: the time, the machine's name, the user's name, the umask,
the number of processes, the folders. A difference is explained by diffoscope, where it is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hamkit import __version__
from hamkit.build.kernel24.build import build_kernel
from hamkit.build.kernel24.modules import ModulesRequest, build_modules
from hamkit.build.kernel24.programs import build_programs
from hamkit.build.rpms import BuildRequest, build_rpms, can_build
from hamkit.build.sources import archive
from hamkit.build.srpm import SrpmRequest, build_srpm
from hamkit.courses.distribution import Pipeline, Request
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.errors import HamkitError
from hamkit.files import project_root, scratch_folder, write_whole
from hamkit.progress import Progress
from hamkit.prove.boot24 import disc
from hamkit.prove.iso import write_iso
from hamkit.render.series import SeriesRequest, render_series
from hamkit.run import run
from hamkit.stage import StageResult, Stopwatch, Verdict

COLUMNS = ("verdict", "artifact", "first", "second", "why")
EXPLAINER, EXPLAINER_PACKAGE = "diffoscope", "diffoscope-minimal"
EXPLAINED_LINES = 40
LONGEST_EXPLANATION = 300.0  # seconds


@dataclass(frozen=True)
class Twice:
    """One artifact; the digests are SHA-256, empty where it was not made. ``why`` explains a difference."""

    name: str
    first: str
    second: str
    why: str = ""

    @property
    def same(self) -> bool:
        return self.first == self.second != ""

    @property
    def row(self) -> tuple[object, ...]:
        """As a row of COLUMNS."""
        verdict = Verdict.PASS if self.same else Verdict.FAIL
        return (verdict, self.name, self.first[:16], self.second[:16], self.why)


@dataclass(frozen=True)
class Reproduced:
    """All artifacts of one distribution or tree."""

    stage: StageResult
    artifacts: tuple[Twice, ...]


Files = Mapping[str, bytes]


def reproduce_distribution(request: Request, progress: Progress) -> Reproduced:
    """Source archive, source RPM and, where the image can build them, binary RPMs. Raises what building
    raises."""
    watch, pipeline = Stopwatch(), Pipeline(request, progress)
    rendered, image = pipeline.rendered, pipeline.image
    built = can_build(image)
    first = {name: raw for name, raw in rendered.files.items() if name == archive_name()}
    first |= _read((pipeline.srpm.path,))
    first |= _read(pipeline.rpms.paths) if built else {}
    second = {archive_name(): _sources_elsewhere(rendered.epoch)}
    asked = SrpmRequest(rendered, image, pipeline.logs / "srpm-2.log", renew=True, elsewhere=True)
    srpm = build_srpm(asked, pipeline.engine, progress)
    second |= _read((srpm.path,))
    if built:
        log = pipeline.logs / "rebuild-2.log"
        again = BuildRequest(srpm, image, log, request.testing, renew=True, elsewhere=True)
        second |= _read(build_rpms(again, pipeline.engine, progress).paths)
    return _compared(first, second, watch)


def reproduce_tree(request: TreeRequest, progress: Progress) -> Reproduced:
    """Patch series, kernel, modules, guest programs and boot disc of a 2.4 tree."""
    watch, pipeline = Stopwatch(), TreePipeline(request, progress)
    first = _made_of_tree(pipeline, progress)
    kernel = build_kernel(replace(pipeline.kernel_request, renew=True, jobs=1), progress)
    modules = build_modules(ModulesRequest(kernel, pipeline.toolchain, request.testing, renew=True), progress)
    programs = build_programs(progress, renew=True)
    again = TreePipeline(request, progress)
    vars(again).update(kernel=kernel, modules=modules, programs=programs)
    return _compared(first, _made_of_tree(again, progress), watch)


def _made_of_tree(pipeline: TreePipeline, progress: Progress) -> dict[str, bytes]:
    """What a tree's pipeline has made, by name; series and disc are made anew for it."""
    with scratch_folder("reproduce") as work:
        reserve = int(pipeline.flavour.options["CONFIG_MEM_HOTADD_RESERVE"])
        series = render_series(SeriesRequest(pipeline.source.root, work / "series", reserve), progress)
        made = {f"series/{path.name}": path.read_bytes() for path in series.patches}
        made |= _read(pipeline.artifacts)
        made["disc.iso"] = write_iso(disc(pipeline.boot_request), work / "disc.iso").read_bytes()
    return made


def _read(paths: Iterable[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def archive_name() -> str:
    """The source archive's name in the source RPM."""
    return f"ham-{__version__}.tar.gz"


def _sources_elsewhere(epoch: int) -> bytes:
    """The source archive out of a copy with other times, another umask, in another folder."""
    root = project_root()
    with scratch_folder("sources-elsewhere") as work:
        copy = work / "another place" / "ham-src"
        shutil.copytree(root / "ham-src", copy)
        for path in (copy, *copy.rglob("*")):
            path.chmod(path.stat().st_mode & 0o700)
            os.utime(path, (1_000_000_000, 1_000_000_000))
        return archive(copy, f"ham-{__version__}", epoch, {"LICENSE": root / "LICENSE"})


def _compared(first: Files, second: Files, watch: Stopwatch) -> Reproduced:
    names = list(dict.fromkeys((*first, *second)))
    found = tuple(_twice(name, first.get(name), second.get(name)) for name in names)
    other = [each.name for each in found if not each.same]
    detail = f"{len(found)} artifacts, the same twice" if not other else f"differ: {', '.join(other)}"
    verdict = Verdict.FAIL if other else Verdict.PASS
    facts = {each.name: each.first for each in found}
    return Reproduced(StageResult("reproduce", verdict, watch.seconds, detail, facts=facts), found)


def _twice(name: str, first: bytes | None, second: bytes | None) -> Twice:
    if first is None or second is None:
        return Twice(name, _digest(first), _digest(second), "made only once")
    why = "" if first == second else explain(name, first, second)
    return Twice(name, _digest(first), _digest(second), why)


def _digest(raw: bytes | None) -> str:
    return "" if raw is None else hashlib.sha256(raw).hexdigest()


def explain(name: str, first: bytes, second: bytes) -> str:
    """How two artifacts differ, in the words of diffoscope; without it, the place of the first difference."""
    place = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), -1)
    plain = f"{len(first)} and {len(second)} bytes, first difference at byte {place}"
    if shutil.which(EXPLAINER) is None:
        return f"{plain}; apt-get install {EXPLAINER_PACKAGE} explains it"
    with scratch_folder("explain") as work:
        base = Path(name).name
        for folder, raw in (("first", first), ("second", second)):
            write_whole(work / folder / base, raw)
        argv = [EXPLAINER, "--no-progress", "--text", "-", f"first/{base}", f"second/{base}"]
        try:
            said = run(argv, cwd=work, check=False, timeout=LONGEST_EXPLANATION).stdout
        except HamkitError as bad:
            return f"{plain}; {bad.message}"
    return "\n".join([plain, *said.splitlines()[:EXPLAINED_LINES]])
