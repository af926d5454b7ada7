"""A machine whose guest waits for steps, kept at that moment: what both kernel lines have in common.

Each scenario begins at that moment again, so that scenarios that share a boot know nothing of each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hamkit.files import write_whole
from hamkit.model.scenario import Scenario
from hamkit.prove import plan
from hamkit.prove.comparison import Check
from hamkit.prove.console import judge
from hamkit.prove.frames import MARK
from hamkit.prove.fuzz.campaign import GuestDown
from hamkit.prove.port import Port
from hamkit.prove.qemu import Session, Startable, report_socket, session
from hamkit.prove.still import Still

BOOT_SECONDS, STEP_SECONDS = 600.0, 300.0  # on a busy machine; a guest that is down is seen at once
TICK = 0.05
DOWN = ("Kernel panic", "Oops", "kernel BUG at", "hamkit: error")  # from here on nobody will answer
QUOTED = 4


class Served:
    """One machine, up and waiting. ``console`` and ``report`` are what it said until then."""

    def __init__(self, machine: Startable, running: Session, port: Port) -> None:
        self._machine, self.running, self._port = machine, running, port
        self._wait(BOOT_SECONDS)
        self.console, self.report = text_of(machine.console), text_of(machine.report)
        self._still = Still(running)

    def report_of(self, scenario: Scenario, look: Callable[[int], None]) -> str:
        """The whole report of the scenario, from the state after boot; ``look`` is told of each step's end,
        while nothing moves. Raises GuestDown."""
        self._still.back()
        begin = self._machine.report.stat().st_size
        for number, step in enumerate(scenario.steps, 1):
            self._port.go_on(plan.request(step))
            try:
                self._wait(STEP_SECONDS)
            except GuestDown as down:
                raise GuestDown(f"step {number}, {step.label}: {down.message}", down.hint) from down
            look(number)
        with self._machine.report.open("rb") as stream:
            stream.seek(begin)
            new = stream.read().decode(errors="replace").replace("\r", "")
        return f"{self.report}{new}{MARK}done\n"

    def _wait(self, seconds: float) -> None:
        """Until the guest pauses. Raises GuestDown when it does not."""
        deadline = time.monotonic() + seconds
        said = self._machine.console.stat().st_size
        while not self._port.pauses():
            ended = self.running.wait(TICK, *self._port.files)
            with self._machine.console.open("rb") as stream:
                stream.seek(said)
                new = stream.read().decode(errors="replace")
            late = time.monotonic() > deadline
            if ended or late or any(word in new for word in DOWN):
                verdict = judge(self._machine.console)
                raise GuestDown(
                    f"the guest {'ended' if ended else 'does not answer'}: {verdict.detail}",
                    "; ".join(verdict.lines[:QUOTED]) or "nothing was said",
                )


@contextmanager
def served(machine: Startable, messages: Path) -> Iterator[Served]:
    """Start the machine, whose guest's plan ends with ``serve``, and wait until it waits.

    Raises GuestDown when it does not come up, Failure when QEMU cannot be controlled.
    """
    for path in (machine.console, machine.report):
        write_whole(path, b"")
    with (
        session(machine, messages) as running,
        Port(report_socket(running.control), machine.report) as port,
    ):
        yield Served(machine, running, port)


def exact(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks that allow nothing: random steps at random times are no case for an allowance."""
    return tuple(c for c in checks if not c.allowance)


def text_of(path: Path) -> str:
    return path.read_bytes().decode(errors="replace").replace("\r", "")
