"""Boots a patched 2.4 kernel from a CD, lets its guest run a scenario, and reads its counters from outside.

After each step the guest waits; the host reads the kernel's globals out of guest memory and sends a byte.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hamkit.files import sha256_file, write_whole
from hamkit.model.scenario import Scenario, UseStep
from hamkit.progress import Progress
from hamkit.prove import guest24
from hamkit.prove.boot import BootResult, Run, boot_result, hidden_memory, limits_for
from hamkit.prove.console import Limits
from hamkit.prove.globals24 import Counters, Reader, Seen, Symbols
from hamkit.prove.iso import ROOT, SEVERAL, Disc, DiscMachine, write_iso
from hamkit.prove.port import Port
from hamkit.prove.qemu import Session, report_socket
from hamkit.stage import Stopwatch

OPTIONS = ("console=ttyS0,115200", ROOT, "panic=1")
# There is a CD and at most one disk: looking for more takes a kernel three seconds
NO_SUCH_DRIVES = ("hdb=none", "hdd=none", *(f"ide{port}=noprobe" for port in range(2, 6)))
NO_DISK = "ide0=noprobe"
SAMPLE_SECONDS = 0.2  # between looks at the zones while memory is used
LIMITS = Limits(firmware=60.0, kernel=60.0, init=60.0)


@dataclass(frozen=True)
class TreeBoot:
    """What to boot. ``kernel`` is a bzImage, ``system_map`` its System.map, ``layout`` that of its
    structures (see ``Kernel.layout``); ``modules`` and ``programs``: name to content; ``cpus``: at least so
    many, the scenario may want more.

    ``out`` gets console.log, report.log, counters.json, qemu.log, argv.txt and disc.iso; ``append`` is
    added to the kernel's command line. ``serve``: the guest waits to be asked for steps.
    """

    kernel: Path
    system_map: Path
    layout: Mapping[str, int]
    release: str
    modules: Mapping[str, bytes]
    programs: Mapping[str, bytes]
    scenario: Scenario
    out: Path
    cpus: int = 1
    limits: Limits = field(default_factory=lambda: LIMITS)
    append: str = ""
    serve: bool = False


def boot_tree(request: TreeBoot, progress: Progress) -> BootResult:
    """Make the CD, run it, judge it. What went wrong in the guest is a verdict, not an exception.

    Raises UserError (no kernel), Failure (a program or symbol lacks), MissingNeed (no QEMU, no isolinux).
    """
    watch = Stopwatch()
    symbols = Symbols.read(request.system_map, request.layout)
    machine = describe_machine(request)
    for path in (machine.console, machine.report):  # what an earlier run left there is not this run's
        write_whole(path, b"")
    write_iso(disc(request), machine.iso)
    if machine.disk:
        make_swap(machine.disk, request.scenario.machine.swap)
    steps = enumerate(request.scenario.steps, 1)
    observer = Observer(
        symbols, machine.report, frozenset(n for n, step in steps if isinstance(step, UseStep))
    )
    with progress.step(f"boot {request.release}") as step:
        run = Run(machine, limits_for(request.scenario, request.limits), step, observer.visit)
        run.go(request.out)
    seen = Seen(observer.counters, observer.lowest)
    write_whole(request.out / "counters.json", json.dumps(seen.facts(), indent=1) + "\n")
    inputs = {"kernel": sha256_file(request.kernel), "disc": sha256_file(machine.iso)}
    return boot_result(
        request.release,
        request.scenario,
        machine,
        run,
        watch,
        inputs,
        seen,
    )


def make_swap(image: Path, size: int) -> None:
    """A disk of that many bytes to swap to; it takes no more room than what is swapped."""
    write_whole(image, guest24.swap_disk(size))
    os.truncate(image, size)


def describe_machine(request: TreeBoot) -> DiscMachine:
    """The machine that ``boot_tree`` starts; nothing is written yet."""
    return DiscMachine(
        iso=request.out / "disc.iso",
        memory=request.scenario.machine.memory,
        console=request.out / "console.log",
        report=request.out / "report.log",
        cpus=max(request.cpus, request.scenario.machine.cpus),
        low_memory=request.scenario.machine.low_memory or 0,
        disk=request.out / "swap.img" if request.scenario.machine.swap else None,
    )


def disc(request: TreeBoot) -> Disc:
    """The CD: kernel, command line, and the guest's files."""
    files = guest24.files(request.release, request.modules, request.programs, request.scenario, request.serve)
    return Disc(request.kernel, command_line(request), files)


def command_line(request: TreeBoot) -> str:
    """The kernel's command line. No ``mem=`` for a machine whose memory the kernel is to know all of."""
    hidden = "" if request.scenario.limit is None else hidden_memory(request.scenario)
    window = request.scenario.kernel.hotadd
    reserved = "" if window is None else f"hotadd={window}"
    machine = describe_machine(request)
    several = SEVERAL if machine.cpus > 1 else ""
    drives = NO_SUCH_DRIVES if machine.disk else (*NO_SUCH_DRIVES, NO_DISK)
    return " ".join(word for word in (*OPTIONS, *drives, several, hidden, reserved, request.append) if word)


class Observer:
    """Takes down the guest's report; reads the kernel's counters at each of its pauses, and ends the pause;
    during the steps of ``busy`` looks now and then how little memory is free in each zone."""

    def __init__(self, symbols: Symbols, report: Path, busy: frozenset[int] = frozenset()) -> None:
        self.counters: dict[int, Counters] = {}
        self.lowest: dict[int, dict[int, int]] = {}
        self._symbols, self._report, self._busy = symbols, report, busy
        self._free: dict[int, int] = {}

    @contextmanager
    def visit(self, running: Session) -> Iterator[Visit]:
        """For as long as a machine runs."""
        with Port(report_socket(running.control), self._report) as port:
            yield Visit(self, Reader(self._symbols, running.monitor), port)

    def see(self, step: int, reader: Reader) -> None:
        """Note the counters after a step."""
        self.counters[step] = reader.counters()

    def sample(self, step: int, reader: Reader) -> bool:
        """Note what is free during a step, by zone's first page, where it is less than before; whether
        anything moved since the last look, which tells a busy guest from one that hangs."""
        if step not in self._busy:
            return False
        lowest = self.lowest.setdefault(step, {})
        free = {zone.start: zone.free for zone in reader.zones()}
        lowest.update({start: min(pages, lowest.get(start, pages)) for start, pages in free.items()})
        moved, self._free = free != self._free, free
        return moved


class Visit:
    """An observer at one machine."""

    def __init__(self, observer: Observer, reader: Reader, port: Port) -> None:
        self._observer, self._reader, self._port = observer, reader, port
        self._step, self._next = -1, 0.0

    @property
    def files(self) -> tuple[int, ...]:
        return self._port.files

    def look(self) -> bool:
        """End every pause that the guest is in, once it was looked at."""
        pauses = self._port.pauses()
        for step in pauses:
            self._observer.see(step, self._reader)
            self._step = step + 1
            self._port.go_on()
        return bool(pauses) or self._sample()

    def _sample(self) -> bool:
        """A look that takes at most a tenth of the time: reading memory holds the guest up."""
        begin = time.monotonic()
        if begin < self._next:
            return False
        moved = self._observer.sample(self._step, self._reader)
        now = time.monotonic()
        self._next = now + max(SAMPLE_SECONDS, 10 * (now - begin))
        return moved
