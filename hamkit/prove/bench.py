"""How much longer the boot stage takes than QEMU alone: both measured in turn, in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from statistics import median

from hamkit.errors import Failure
from hamkit.files import write_whole
from hamkit.progress import Progress, Quiet
from hamkit.prove import guest
from hamkit.prove.boot import BootRequest, boot, describe_machine
from hamkit.prove.initramfs import cpio
from hamkit.prove.qemu import session
from hamkit.stage import Stopwatch, Verdict

BARE_INIT = "#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n"
BARE_SECONDS = 300.0


@dataclass(frozen=True)
class BootRatio:
    """Wall times in seconds, in the order of the rounds, and what they come to."""

    bare: tuple[float, ...]
    stage: tuple[float, ...]

    @property
    def bare_median(self) -> float:
        return median(self.bare)

    @property
    def stage_median(self) -> float:
        return median(self.stage)

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return self.stage_median / self.bare_median

    def facts(self) -> Mapping[str, object]:
        """As JSON types, for a record of the run."""
        medians = {"bare_median": self.bare_median, "stage_median": self.stage_median}
        return asdict(self) | medians | {"ratio": round(self.ratio, 3)}


def boot_ratio(request: BootRequest, rounds: int, progress: Progress) -> BootRatio:
    """Boot bare and with the whole stage, ``rounds`` times in turn.

    Bare is the same machine with the same kernel command line, and an initramfs of busybox whose
    init powers off. Raises Failure when a boot does not come to its end.
    """
    bare: list[float] = []
    stage: list[float] = []
    for number in range(1, rounds + 1):
        with progress.step(f"boot bare and whole, round {number} of {rounds}") as step:
            bare.append(bare_boot(request))
            step.note(f"bare {bare[-1]:.1f} s")
            stage.append(_whole_boot(request))
    return BootRatio(tuple(bare), tuple(stage))


def bare_boot(request: BootRequest) -> float:
    """Seconds from the start of QEMU to its end. Raises Failure when that does not come."""
    image = cpio(guest.base(request.busybox, BARE_INIT))
    machine = describe_machine(replace(request, out=request.out / "bare"))
    write_whole(machine.initramfs, image)
    watch = Stopwatch()
    with session(machine, machine.console.with_name("qemu.log")) as running:
        ended = running.wait(BARE_SECONDS)
        seconds = watch.seconds
        if not ended or running.returncode != 0 or running.shutdown_reason() != "guest-shutdown":
            raise Failure(f"the bare boot of {request.release} did not power off", f"see {machine.console}")
    return seconds


def _whole_boot(request: BootRequest) -> float:
    stage = boot(replace(request, out=request.out / "whole"), Quiet()).stage
    if stage.verdict is not Verdict.PASS:
        raise Failure(f"the boot of {request.release} failed: {stage.detail}", f"see {request.out}")
    return stage.seconds
