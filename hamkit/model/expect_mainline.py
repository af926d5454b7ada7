"""What a scenario leaves behind on a mainline kernel, as JSON types."""

from __future__ import annotations

from typing import Any

from hamkit.model import qemu
from hamkit.model.mainline import BootFacts, Mainline, Policy, boot
from hamkit.model.outcomes import Outcome, carry
from hamkit.model.scenario import Scenario

BOARD = "q35"


def default_facts(scenario: Scenario, board: str = BOARD, policy: Policy = Policy.OFFLINE) -> BootFacts:
    """What is assumed of a machine that was not booted: QEMU's layout, nothing measured."""
    memory, low = scenario.machine.memory, scenario.machine.low_memory
    firmware = qemu.firmware_map(memory, board, low)
    return BootFacts(firmware, (), qemu.resources(memory, board, low), policy=policy)


def carry_through(scenario: Scenario, facts: BootFacts) -> tuple[Outcome[Mainline], ...]:
    """Outcomes of step 0 (boot) to the last one. The guest brings online every block that the kernel
    left offline, which the state after a step includes."""
    return carry(boot(facts, scenario.machine.boot_memory), scenario.steps, Mainline.online)


def about(facts: BootFacts) -> dict[str, Any]:
    """What the expectation starts from. Without facts of a boot the counts of MemTotal and of managed
    pages are those of a kernel that reserves nothing (``measured`` false); their changes are exact."""
    return {
        "measured": facts.measured,
        "block_size": facts.block_size,
        "policy": str(facts.policy),
        "firmware": [{"range": str(e.extent), "kind": e.kind} for e in facts.firmware],
    }


def state(before: Outcome[Mainline], now: Outcome[Mainline]) -> dict[str, Any]:
    """The machine after a step; sizes in KiB, zones in pages."""
    return {
        "mem_total_kib": now.vm.mem_total_kib,
        "mem_total_change_kib": now.vm.mem_total_kib - before.vm.mem_total_kib,
        "vmemmap_kib": now.vm.vmemmap_kib - before.vm.vmemmap_kib,
        "zones": [
            {
                "name": z.name,
                "start": z.start,
                "spanned": z.spanned,
                "present": z.present,
                "managed": z.managed,
            }
            for z in now.vm.zones
        ],
        "blocks": [{"name": f"memory{n}", "online": online} for n, online in now.vm.blocks],
        "system_ram": [str(e) for e in now.vm.system_ram],
    }
