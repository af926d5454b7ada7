"""Boots a 2.4 kernel in a machine that counts instructions, and has its guest measure common work.

QEMU's ``-icount`` drives every clock of the machine, the time-stamp counter among them, by the number of
instructions that were executed: what the guest reads there depends on nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import MappingProxyType

from hamkit.errors import Failure
from hamkit.files import write_whole
from hamkit.model.scenario import RunStep
from hamkit.progress import Progress
from hamkit.prove import plan
from hamkit.prove.boot import Run
from hamkit.prove.console import Limits
from hamkit.prove.ext2 import ext2_image
from hamkit.prove.frames import BadLine, frames
from hamkit.prove.guest24 import INIT, LINKER, Root
from hamkit.prove.iso import Disc, DiscMachine, write_iso
from hamkit.prove.port import Port
from hamkit.prove.qemu import Session, report_socket
from hamkit.stage import Verdict

BENCH = "hambench"
PROGRAMS = (BENCH, INIT, LINKER, "hamctl")
# An instruction is 4 ns long, and 4 cycles of the counter: with less, the kernel's waits take too many.
SHIFT = 2
COUNTING = ("-icount", f"shift={SHIFT},sleep=off", "-rtc", "base=2001-10-24,clock=vm")
# quiet: each letter that the kernel prints is a loop that waits for the port, and slow to emulate.
OPTIONS = ("console=ttyS0,115200", "quiet", "root=/dev/ram0", "panic=1")
LIMITS = Limits(firmware=600.0, kernel=600.0, init=120.0, scenario=900.0, total=1800.0)  # and it is quiet
ROW = re.compile(r"row (?P<name>[\w-]+) (?P<units>\d+)(?P<counts>( \d+)+)")
SKIP = re.compile(r"skip (?P<name>[\w-]+) (?P<why>.+)")
EMPTY = "empty-loop"  # what the loop around the cheapest row costs itself
LOOPED = "null-syscall"


@dataclass(frozen=True)
class Added:
    """A region to add, in bytes."""

    start: int
    size: int


@dataclass(frozen=True)
class CountRequest:
    """What to boot, and what to do there. ``memory``: what the kernel is told of, ``machine`` what there
    is, both in bytes; ``adds`` go in before the rows are measured, ``adds_after`` then.

    Where both differ a boot loader puts the RAM disk right below ``memory``, which has to be low memory.

    ``out`` gets console.log, report.log, qemu.log, argv.txt and disc.iso.
    """

    name: str
    kernel: Path
    release: str
    programs: Mapping[str, bytes]
    memory: int
    machine: int
    out: Path
    modules: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    adds: tuple[Added, ...] = ()
    adds_after: tuple[Added, ...] = ()
    rows: bool = True


@dataclass(frozen=True)
class Counts:
    """Instructions. ``rows``: a unit of each kind of work; ``skipped``: why one was not measured; ``adds``:
    each region's size in bytes and what adding it took, in order."""

    rows: Mapping[str, float]
    skipped: Mapping[str, str]
    adds: tuple[tuple[int, int], ...]


def count(request: CountRequest, progress: Progress) -> Counts:
    """Boot and measure. Raises Failure when the guest does not come to its end, or a step of it fails."""
    machine = describe_machine(request)
    for path in (machine.console, machine.report):
        write_whole(path, b"")
    write_iso(disc(request), machine.iso)
    with progress.step(f"count instructions: {request.name}") as step:
        run = Run(machine, LIMITS, step, lambda running: _listening(running, machine.report))
        run.go(request.out)
    judged = run.judge.verdict()
    if judged.verdict is not Verdict.PASS:
        raise Failure(f"{request.name}: {judged.detail}", f"see {machine.console}")
    return read_counts(machine.report.read_bytes().decode(errors="replace"))


@contextmanager
def _listening(running: Session, report: Path) -> Iterator[Listener]:
    with Port(report_socket(running.control), report) as port:
        yield Listener(port)


@dataclass(frozen=True)
class Listener:
    """Takes down what the guest reports; nothing is asked of it."""

    port: Port

    @property
    def files(self) -> tuple[int, ...]:
        return self.port.files

    def look(self) -> bool:
        return bool(self.port.pauses())


def describe_machine(request: CountRequest) -> DiscMachine:
    """The machine that ``count`` starts; nothing is written yet."""
    return DiscMachine(
        iso=request.out / "disc.iso",
        memory=request.machine,
        console=request.out / "console.log",
        report=request.out / "report.log",
        extra=COUNTING,
    )


def steps(request: CountRequest) -> tuple[RunStep, ...]:
    """What the guest does, in order."""
    device = [RunStep(("hamctl", "device"))] if request.adds or request.adds_after else []
    rows = [RunStep((BENCH, "rows"))] if request.rows else []
    return (*device, *_add_steps(request.adds), *rows, *_add_steps(request.adds_after))


def _add_steps(adds: Sequence[Added]) -> list[RunStep]:
    return [RunStep((BENCH, "add", f"{add.start:#x}", f"{add.size:#x}")) for add in adds]


def disc(request: CountRequest) -> Disc:
    """The CD: kernel, command line, and the guest's files in an initial RAM disk, its root filesystem."""
    root = Root.of(request.release, request.modules, request.programs)
    followed = plan.Plan(
        modules=root.modules,
        programs=root.programs,
        reports=("output",),
        steps=steps(request),
        load=tuple(request.modules)[:1],
        reboot=True,
    )
    hidden = () if request.memory == request.machine else (f"mem={request.memory // 1024}K",)
    append = " ".join((*OPTIONS, *hidden))
    return Disc(request.kernel, append, initrd=ext2_image(root.following(followed)))


def read_counts(report: str) -> Counts:
    """What the guest measured. Raises Failure for a step that failed or said something else."""
    rows: dict[str, float] = {}
    skipped: dict[str, str] = {}
    adds: list[tuple[int, int]] = []
    for frame in frames(report, ("output",)):
        lines = frame.lines("output")
        if frame.rc:
            raise Failure(
                f"step {frame.step} of the guest ended with status {frame.rc}: {'; '.join(lines)}",
                "its console log tells more",
            )
        for name, units, counts, why in frame.read("output", lambda said: list(_parse(said))):
            if why:
                skipped[name] = why
            elif name == "add":
                adds.append((units, counts[0]))
            else:
                rows[name] = median(counts) / units
    if EMPTY in rows and LOOPED in rows:
        rows[LOOPED] -= rows.pop(EMPTY)
    return Counts(rows, skipped, tuple(adds))


def _parse(lines: Sequence[str]) -> Iterator[tuple[str, int, list[int], str]]:
    for offset, line in enumerate(lines):
        if row := ROW.fullmatch(line):
            yield row["name"], int(row["units"]), [int(word) >> SHIFT for word in row["counts"].split()], ""
        elif skip := SKIP.fullmatch(line):
            yield skip["name"], 0, [], skip["why"]
        elif line:
            raise BadLine(offset, f"neither a row nor a reason: {line!r}")
