"""Where a campaign boots a distribution's kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hamkit.files import scratch_folder, write_whole
from hamkit.model.scenario import Scenario
from hamkit.prove import guest
from hamkit.prove.boot import BootRequest, describe_machine
from hamkit.prove.compare import compare
from hamkit.prove.comparison import Check
from hamkit.prove.fuzz.stand import Served, exact, served


@dataclass(frozen=True)
class StandMainline:
    """Boots the kernel of ``template``, with the machine of a scenario."""

    template: BootRequest

    @contextmanager
    def booted(self, scenario: Scenario) -> Iterator[BootedMainline]:
        """A machine as the scenario wants it. Raises GuestDown when it does not come up."""
        with scratch_folder("fuzz") as folder:
            request = replace(self.template, scenario=scenario, out=folder)
            machine = replace(describe_machine(request), serve=True)
            files = guest.image(request.release, request.files, scenario, serve=True)
            write_whole(machine.initramfs, files)
            with served(machine, folder / "qemu.log") as up:
                yield BootedMainline(up)


class BootedMainline:
    """One machine."""

    def __init__(self, served_guest: Served) -> None:
        self._guest = served_guest

    def run(self, scenario: Scenario) -> tuple[Check, ...]:
        """Every check of the scenario, from the state after boot. Raises GuestDown."""
        report = self._guest.report_of(scenario, lambda _: None)
        return exact(compare(scenario, self._guest.console, report).checks)
