"""How much longer the boot stage takes than QEMU alone: measured in turn, in one run."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median

from hamkit.errors import Failure
from hamkit.files import write_whole
from hamkit.progress import Progress, Quiet
from hamkit.prove.boot import BootRequest, boot, describe_machine, hidden_memory
from hamkit.prove.initramfs import character_device, cpio, folder, link, program
from hamkit.prove.qemu import Machine, session
from hamkit.run import find
from hamkit.stage import Stopwatch, Verdict

BARE_INIT = b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"
BARE_SECONDS = 300.0


@dataclass(frozen=True)
class Cost:
    """Of one boot, in seconds: on the clock, and of processors in QEMU (user and system)."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class BootRatio:
    """Costs in the order of the rounds.

    ``plain``: QEMU as one would type it (``-cpu max``, a console, ``mem=``); ``alike``: with the machine
    and all kernel options of the boot stage; both with busybox and an init that powers off.
    """

    plain: tuple[Cost, ...]
    alike: tuple[Cost, ...]
    stage: tuple[Cost, ...]

    @property
    def to_plain(self) -> float:
        """The stage's median over that of the plain boot, on the clock."""
        return _ratio(self.stage, self.plain, _wall)

    @property
    def to_alike(self) -> float:
        """The stage's median over that of the boot with the same options."""
        return _ratio(self.stage, self.alike, _wall)

    @property
    def cpu_to_plain(self) -> float:
        """As ``to_plain``, of processor time: what else the machine does hardly matters."""
        return _ratio(self.stage, self.plain, _cpu)

    def facts(self) -> Mapping[str, object]:
        """As JSON types, for a record of the run."""
        names = ("to_plain", "to_alike", "cpu_to_plain")
        return asdict(self) | {name: round(getattr(self, name), 3) for name in names}


def boot_ratio(request: BootRequest, rounds: int, progress: Progress) -> BootRatio:
    """Boot plain, alike and with the whole stage, ``rounds`` times in turn.

    Raises Failure when a boot does not come to its end, MissingNeed without a busybox on this machine.
    """
    alike = describe_machine(replace(request, out=request.out / "bare"))
    append = f"console=ttyS0 panic=-1 {hidden_memory(request.scenario)}"
    plain = replace(alike, model="max", append=append, small_pages=False)
    write_whole(alike.initramfs, bare_image())
    costs: list[tuple[Cost, Cost, Cost]] = []
    for number in range(1, rounds + 1):
        with progress.step(f"boot three ways, round {number} of {rounds}"):
            ways = (lambda: _bare_boot(plain), lambda: _bare_boot(alike), lambda: _whole_boot(request))
            first, second, third = (_cost(way) for way in ways)
            costs.append((first, second, third))
    return BootRatio(*(tuple(column) for column in zip(*costs, strict=True)))


def bare_image() -> bytes:
    """An initramfs with busybox and an init that powers off. Raises MissingNeed."""
    busybox = find("busybox", "busybox-static").read_bytes()
    nodes = {"/init": program(BARE_INIT), "/bin/busybox": program(busybox), "/bin/sh": link("busybox")}
    nodes |= {"/dev/console": character_device(5, 1)}
    return cpio(nodes | {path: folder() for path in ("/proc", "/sys")})


def _cost(way: Callable[[], None]) -> Cost:
    """What a boot costs; its QEMU has ended and is counted among the children of this process."""
    before, watch = resource.getrusage(resource.RUSAGE_CHILDREN), Stopwatch()
    way()
    seconds, after = watch.seconds, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _bare_boot(machine: Machine) -> None:
    with session(machine, machine.console.with_name("qemu.log")) as running:
        ended = running.wait(BARE_SECONDS)
        if not ended or running.returncode != 0 or running.shutdown_reason() != "guest-shutdown":
            raise Failure("the bare boot did not power off", f"see {machine.console}")


def _whole_boot(request: BootRequest) -> None:
    stage = boot(replace(request, out=request.out / "whole"), Quiet()).stage
    if stage.verdict is not Verdict.PASS:
        raise Failure(f"the boot of {request.release} failed: {stage.detail}", f"see {request.out}")


def _wall(cost: Cost) -> float:
    return cost.wall


def _cpu(cost: Cost) -> float:
    return cost.cpu


def _ratio(above: tuple[Cost, ...], below: tuple[Cost, ...], of: Callable[[Cost], float]) -> float:
    return median(map(of, above)) / median(map(of, below))
