"""How much longer the boot stage takes than QEMU alone: measured in turn, in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median

from hamkit.errors import Failure
from hamkit.files import write_whole
from hamkit.progress import Progress, Quiet
from hamkit.prove import guest
from hamkit.prove.boot import BootRequest, boot, describe_machine, hidden_memory
from hamkit.prove.initramfs import cpio
from hamkit.prove.qemu import Machine, session
from hamkit.stage import Stopwatch, Verdict

BARE_INIT = "#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"
BARE_SECONDS = 300.0


@dataclass(frozen=True)
class BootRatio:
    """Wall times in seconds, in the order of the rounds.

    ``plain``: QEMU as one would type it (``-cpu max``, a console, ``mem=``); ``alike``: with the CPU
    and all kernel options of the boot stage; both with busybox and an init that powers off.
    """

    plain: tuple[float, ...]
    alike: tuple[float, ...]
    stage: tuple[float, ...]

    @property
    def to_plain(self) -> float:
        """The stage's median over that of the plain boot."""
        return median(self.stage) / median(self.plain)

    @property
    def to_alike(self) -> float:
        """The stage's median over that of the boot with the same options."""
        return median(self.stage) / median(self.alike)

    def facts(self) -> Mapping[str, object]:
        """As JSON types, for a record of the run."""
        medians = {f"{name}_median": median(seconds) for name, seconds in asdict(self).items()}
        ratios = {"to_plain": round(self.to_plain, 3), "to_alike": round(self.to_alike, 3)}
        return asdict(self) | medians | ratios


def boot_ratio(request: BootRequest, rounds: int, progress: Progress) -> BootRatio:
    """Boot plain, alike and with the whole stage, ``rounds`` times in turn.

    Raises Failure when a boot does not come to its end.
    """
    alike = describe_machine(replace(request, out=request.out / "bare"))
    append = f"console=ttyS0 panic=-1 {hidden_memory(request.scenario)}"
    plain = replace(alike, model="max", append=append)
    write_whole(alike.initramfs, cpio(guest.base(request.busybox, BARE_INIT)))
    seconds: list[tuple[float, float, float]] = []
    for number in range(1, rounds + 1):
        with progress.step(f"boot three ways, round {number} of {rounds}"):
            seconds.append((_bare_boot(plain), _bare_boot(alike), _whole_boot(request)))
    return BootRatio(*(tuple(column) for column in zip(*seconds, strict=True)))


def _bare_boot(machine: Machine) -> float:
    """Seconds from the start of QEMU to its end."""
    watch = Stopwatch()
    with session(machine, machine.console.with_name("qemu.log")) as running:
        ended = running.wait(BARE_SECONDS)
        seconds = watch.seconds
        if not ended or running.returncode != 0 or running.shutdown_reason() != "guest-shutdown":
            raise Failure("the bare boot did not power off", f"see {machine.console}")
    return seconds


def _whole_boot(request: BootRequest) -> float:
    stage = boot(replace(request, out=request.out / "whole"), Quiet()).stage
    if stage.verdict is not Verdict.PASS:
        raise Failure(f"the boot of {request.release} failed: {stage.detail}", f"see {request.out}")
    return stage.seconds
