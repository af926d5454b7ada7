"""What hot-add costs a 2.4 kernel: stock and patched ones are built, counted, and held against limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from pydantic_core import to_jsonable_python

from hamkit.build.kernel24.build import Flavour, Highmem, Kernel, KernelRequest, build_kernel
from hamkit.build.kernel24.flavours import bears_pae, counting_flavour, hotadd_flavour, stock_flavour
from hamkit.build.kernel24.modules import ModulesRequest, build_modules
from hamkit.build.kernel24.programs import build_programs
from hamkit.courses.tree import SERIES_RESERVE_MB, TreeCourse
from hamkit.errors import UserError
from hamkit.files import write_whole
from hamkit.kernel.facts import KernelFacts
from hamkit.progress import Progress
from hamkit.prove.overhead import measured
from hamkit.prove.overhead.count import PROGRAMS, Added, CountRequest, Counts, count
from hamkit.prove.overhead.limits import OverheadLimits, load_limits
from hamkit.prove.overhead.verdicts import ModeRow, Row, Runs, compare_modes, judge, verdict
from hamkit.render.series import SeriesResult
from hamkit.stage import StageResult, Stopwatch, Verdict

RESULT = "overhead.json"  # among a run's logs
FIRMWARE = 16 << 20  # bytes behind all regions, at whose end the firmware keeps its tables
MODES: tuple[Highmem, ...] = ("none", "4G", "64G")


@dataclass(frozen=True)
class OverheadRequest:
    """``tree``: a folder, an archive, a source package or a name in the cache; ``highmem`` and ``toolchain``:
    empty for the tree's first; ``rounds``: how often each kernel is counted. Instructions are counted on
    one processor: ``flavour`` is ``up`` or empty."""

    tree: str
    flavour: str = ""
    highmem: str = ""
    toolchain: str = ""
    rounds: int = 2
    renew: bool = False


@dataclass(frozen=True)
class Overhead:
    """Rows with a limit, and stock kernels side by side by high memory support."""

    release: str
    rows: tuple[Row, ...]
    modes: tuple[ModeRow, ...]
    verdict: Verdict


@dataclass
class OverheadPipeline(TreeCourse):
    """One comparison for one tree, each stage run at most once."""

    request: OverheadRequest
    progress: Progress
    watch: Callable[[StageResult], None] = lambda _: None
    results: list[StageResult] = field(default_factory=list)

    @property
    def subject(self) -> str:
        return f"{self.source.root.name}-overhead"

    @property
    def keep(self) -> bool:
        return False

    @cached_property
    def limits(self) -> OverheadLimits:
        return load_limits()

    @cached_property
    def flavour(self) -> Flavour:
        if self.request.flavour not in ("", "up"):
            raise UserError(
                f"instructions of the flavour {self.request.flavour!r} cannot be counted",
                "leave --flavour out: only one processor gives the same counts each time",
            )
        return counted_flavour(self.series.facts, self.request.highmem)

    @cached_property
    def programs(self) -> dict[str, bytes]:
        """The same ones for every kernel: another build of a program would cost otherwise."""
        with self.stage("programs"):
            made = build_programs(self.progress, self.request.renew)
        content = self.ended(made, made.stage).content()
        return {name: content[name] for name in PROGRAMS}

    @cached_property
    def patched(self) -> Kernel:
        return self._built("patched kernel", self.flavour, self.series)

    @cached_property
    def modes(self) -> tuple[Highmem, ...]:
        """High memory support that the tree's stock kernels bear."""
        pae = self.flavour.highmem == "64G" or bears_pae(self.series.facts)
        return tuple(mode for mode in MODES if pae or mode != "64G")

    @cached_property
    def stock(self) -> Mapping[Highmem, Kernel]:
        """By high memory support, that of the patched kernel first."""
        own = self.flavour.highmem
        modes = (own, *(mode for mode in self.modes if mode != own))
        return {m: self._built(f"stock kernel, {m}", stock_flavour(self.flavour, m), None) for m in modes}

    @cached_property
    def module(self) -> bytes:
        """HAM with the ioctl that adds memory."""
        asked = ModulesRequest(self.patched, self.toolchain, testing=True, renew=self.request.renew)
        with self.stage("modules"):
            made = build_modules(asked, self.progress)
        return self.ended(made, made.stage).content()["ham"]

    @cached_property
    def result(self) -> Overhead:
        """Everything counted and judged. Raises Failure when a guest does not come to its end."""
        own, limits, watch = self.flavour.highmem, self.limits, Stopwatch()
        kernels = self.stock
        stock = self._rounds(f"stock {own}", kernels[own], limits.boot_memory)
        runs = Runs(
            stock=stock,
            patched=self._rounds("patched", self.patched, limits.boot_memory),
            stock_total=self._rounds("stock, all memory", kernels[own], limits.total),
            patched_added=self._rounds("patched, memory added", self.patched, limits.boot_memory, adds=True),
        )
        modes = {mode: stock[0] if mode == own else self._mode(mode) for mode in self.modes}
        rows = judge(limits, runs)
        made = Overhead(self.patched.release, rows, compare_modes(limits, modes), verdict(rows))
        found = to_jsonable_python(made)
        write_whole(self.logs / RESULT, json.dumps(found, indent=2) + "\n")
        measured.keep(self.patched.folder.name, found)
        return self.ended(made, _stage(made, watch.seconds))

    def _mode(self, mode: Highmem) -> Counts:
        return self._count(f"stock {mode}", self.stock[mode], self.limits.boot_memory)

    def _built(self, name: str, flavour: Flavour, series: SeriesResult | None) -> Kernel:
        asked = KernelRequest(self.source, self.toolchain, flavour, series, renew=self.request.renew)
        with self.stage(name):
            made = build_kernel(asked, self.progress)
        return self.ended(made, made.stage)

    def _rounds(self, name: str, kernel: Kernel, memory: int, adds: bool = False) -> tuple[Counts, ...]:
        return tuple(self._count(name, kernel, memory, adds) for _ in range(self.request.rounds))

    def _count(self, name: str, kernel: Kernel, memory: int, adds: bool = False) -> Counts:
        limits, start = self.limits, self.limits.boot_memory
        regions = []
        for size in limits.regions:
            regions.append(Added(start, size))
            start += size
        asked = CountRequest(
            name=name,
            kernel=kernel.image,
            release=kernel.release,
            programs=self.programs,
            memory=memory,
            machine=limits.total + (limits.whole + FIRMWARE if memory < limits.total else 0),
            out=self.logs / name.replace(" ", "-").replace(",", ""),
            modules={"ham": self.module} if adds else {},
            adds=tuple(regions) if adds else (),
            adds_after=(Added(start, limits.whole),) if adds else (),
        )
        with self.stage("count"):
            return count(asked, self.progress)


def counted_flavour(facts: KernelFacts, highmem: str) -> Flavour:
    """The patched kernel that is counted. Raises UserError for unknown ``highmem``."""
    return counting_flavour(hotadd_flavour(facts, "up", highmem, SERIES_RESERVE_MB))


def _stage(made: Overhead, seconds: float) -> StageResult:
    bad = [row for row in made.rows if row.verdict is Verdict.FAIL]
    measured = [row for row in made.rows if row.verdict is not Verdict.NOT_RUN]
    detail = f"{len(measured) - len(bad)} of {len(measured)} rows within their limits"
    if bad:
        detail += f"; first: {bad[0].phase}, {bad[0].title}"
    return StageResult("overhead", made.verdict, seconds, detail)
