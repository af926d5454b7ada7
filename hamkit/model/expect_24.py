"""What a scenario leaves behind on a 2.4 kernel with the hot-add series, as JSON types."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from hamkit.model import qemu
from hamkit.model.extents import GIB, KIB, MIB, PAGE, Extent
from hamkit.model.hotadd24 import Linux24, booted
from hamkit.model.i386 import DIRECT_MAP, BootFacts, Highmem, Kernel, Window, boot
from hamkit.model.outcomes import Outcome, carry
from hamkit.model.scenario import Scenario

BOARD = "pc"
LEAST_LOWMEM = 256 * MIB
TABLES_SHARE = 128  # of the struct pages' addresses, for bitmaps; the kernel prints the real window
PAGE_OFFSET = 0xC0000000


def default_facts(scenario: Scenario, board: str = BOARD) -> BootFacts:
    """What is assumed of a machine that was not booted: QEMU's layout, a window as large as asked for,
    nothing reserved."""
    machine = scenario.machine
    firmware = qemu.firmware_map(machine.memory, board, machine.low_memory, hypertransport=False)
    facts = BootFacts(firmware)
    window = assumed_window(scenario.kernel)
    if window is None:
        return facts
    with_window = replace(facts, window=window)
    vm = boot(scenario.kernel, with_window, scenario.limit)
    if window.reach >= vm.max_pfn * PAGE:
        return with_window
    return replace(facts, low_pages=sum(z.spanned for z in vm.zones[:2]))


def assumed_window(kernel: Kernel) -> Window | None:
    """The window for the boot option, or else for the configuration; cut so that lowmem keeps 256 MiB, and
    to what a kernel without PAE can use. None without high memory, and when none is asked for."""
    asked = kernel.asked * MIB
    if not asked or kernel.highmem is Highmem.NONE:
        return None
    most = DIRECT_MAP - LEAST_LOWMEM - kernel.gap
    if kernel.highmem is Highmem.G4:
        asked = min(asked, 4 * GIB // PAGE * kernel.struct_page)
    size = min(-(-(asked + asked // TABLES_SHARE) // kernel.gap) * kernel.gap, most)
    maps = min(asked, size * TABLES_SHARE // (TABLES_SHARE + 1))
    reach = maps // kernel.struct_page * PAGE // kernel.block * kernel.block
    end = PAGE_OFFSET + DIRECT_MAP
    return Window(Extent(end - size, end), reach)


def carry_through(scenario: Scenario, facts: BootFacts) -> tuple[Outcome[Linux24], ...]:
    """Outcomes of step 0 (boot) to the last one. What is added is in use at once."""
    return carry(booted(scenario.kernel, facts, scenario.limit), scenario.steps, lambda vm: vm)


def about(facts: BootFacts) -> dict[str, Any]:
    """What the expectation starts from. Without facts of a boot the totals are those of a kernel that
    reserves nothing and has the window that was asked for (``measured`` false); changes are exact."""
    window = facts.window
    return {
        "measured": facts.measured,
        "window_kib": window.addresses.size // KIB if window else 0,
        "window_reach": window.reach if window else 0,
        "reserved_kib": facts.reserved_kib,
        "freed_kib": facts.freed_kib,
        "firmware": [{"range": str(e.extent), "kind": e.kind} for e in facts.firmware],
    }


def state(before: Outcome[Linux24], now: Outcome[Linux24]) -> dict[str, Any]:
    """The machine after a step; sizes in KiB, everything else in pages."""
    paid = [sum(z.metadata for _, z in o.vm.zones) for o in (before, now)]
    return {
        "mem_total_kib": now.vm.mem_total_kib,
        "mem_total_change_kib": now.vm.mem_total_kib - before.vm.mem_total_kib,
        "metadata_pages": paid[1] - paid[0],
        "globals": asdict(now.vm.counters),
        "meminfo_kib": dict(now.vm.meminfo),
        "nodes": [{"node": n, "start": start, "pages": size} for n, start, size in now.vm.nodes],
        "zones": [
            {
                "node": node,
                "name": z.name,
                "start": z.start,
                "spanned": z.spanned,
                "present": z.present,
                "metadata": z.metadata,
                "watermarks": [[m.least, m.low, m.high] for m in z.marks],
            }
            for node, z in now.vm.zones
        ],
        "zonelist": [f"node {node} {name}" for node, name in now.vm.zonelist],
        "system_ram": [str(e) for e in now.vm.system_ram],
    }
