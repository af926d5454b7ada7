"""Where a campaign boots a patched 2.4 kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from hamkit.files import scratch_folder
from hamkit.model.scenario import Scenario
from hamkit.prove.boot24 import TreeBoot, describe_machine, disc
from hamkit.prove.compare24 import compare
from hamkit.prove.comparison import Check
from hamkit.prove.fuzz.stand import Served, exact, served
from hamkit.prove.globals24 import Counters, Reader, Seen, Symbols
from hamkit.prove.iso import write_iso


@dataclass(frozen=True)
class Stand24:
    """Boots the kernel of ``template``, with the machine and the boot options of a scenario."""

    template: TreeBoot

    @contextmanager
    def booted(self, scenario: Scenario) -> Iterator[Booted24]:
        """A machine as the scenario wants it. Raises GuestDown when it does not come up."""
        with scratch_folder("fuzz") as folder:
            request = replace(self.template, scenario=scenario, out=folder, serve=True)
            machine = describe_machine(request)
            write_iso(disc(request), machine.iso)
            symbols = Symbols.read(request.system_map, request.layout)
            with served(machine, folder / "qemu.log") as guest:
                yield Booted24(guest, Reader(symbols, guest.running.monitor))


class Booted24:
    """One machine; its kernel's counters are read from outside after each step."""

    def __init__(self, guest: Served, reader: Reader) -> None:
        self._guest, self._reader = guest, reader
        self._boot = reader.counters()

    def run(self, scenario: Scenario) -> tuple[Check, ...]:
        """Every check of the scenario, from the state after boot. Raises GuestDown."""
        counters: dict[int, Counters] = {0: self._boot}

        def look(step: int) -> None:
            counters[step] = self._reader.counters()

        report = self._guest.report_of(scenario, look)
        return exact(compare(scenario, self._guest.console, report, Seen(counters, {})).checks)
