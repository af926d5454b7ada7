"""The 2.4 model with regions added: counters, metadata, order and refusals, by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from hamkit import scenarios
from hamkit.model import qemu
from hamkit.model.expect_24 import carry_through, default_facts
from hamkit.model.expectation import expectation, rows
from hamkit.model.extents import GIB, KIB, MIB, PAGE, TOP, Extent
from hamkit.model.hotadd24 import REGIONS, Linux24, booted
from hamkit.model.i386 import Bitmap, BootFacts, Globals, Highmem, Kernel, Marks, Window
from hamkit.model.ranges import Ham
from hamkit.model.scenario import Attribute, Errno, Line

WINDOW = Window(Extent(0xC8200000, 0xD0400000), 8 * GIB)
BLOCK = 2 * MIB
RO = Attribute.RO


def ham(
    memory: int = 3 * GIB, limit: int | None = 128 * MIB, kernel: Kernel | None = None, low: int | None = GIB
) -> Ham[Linux24]:
    firmware = qemu.firmware_map(memory, "pc", low, hypertransport=False)
    return Ham(booted(kernel or Kernel(), BootFacts(firmware, WINDOW), limit))


def added(before: Ham[Linux24], *requests: tuple[int, int]) -> Ham[Linux24]:
    for start, size in requests:
        before, result = before.add(start, size)
        assert result is Errno.OK
    return before


def grown(before: Ham[Linux24], after: Ham[Linux24]) -> tuple[int, ...]:
    old, new = (vars(h.vm.counters).values() for h in (before, after))
    return tuple(b - a for a, b in zip(old, new, strict=True))


def test_the_seeds_six_variables() -> None:
    before = ham()
    after = added(before, (GIB // 2, 256 * MIB))
    # 65536 pages of 64 bytes of struct page: 1024 pages; bitmaps of 4096 bytes, 2048, ... 16: 2 pages
    paid = 1024 + 2
    assert grown(before, after) == (65536, 1, 65536 - paid, 196608 - 32768, 196608 - 32768, 65536 - paid)
    assert dict(after.vm.meminfo)["HighTotal"] == (65536 - paid) * 4
    assert dict(after.vm.meminfo)["LowTotal"] == dict(before.vm.meminfo)["MemTotal"]
    assert after.status() == ("0000000020000000-000000002fffffff  rw ENABLED",)


def test_the_smallest_region() -> None:
    after = added(ham(), (GIB // 2, BLOCK))
    (region,) = after.vm.regions
    # 512 pages: 32 KiB of struct pages; bitmaps of 32+16+8+4+4+4+4+4+4 bytes
    assert (region.node, region.zone.metadata, region.zone.present) == (1, 9, 503)
    assert region.zone.marks == (Marks(20, 40, 60),)
    assert region.zone.holes == 0


def test_highend_only_rises() -> None:
    high = added(ham(), (4 * GIB, BLOCK))
    assert high.vm.counters.highend_pfn == high.vm.counters.max_mapnr == (4 * GIB + BLOCK) // PAGE
    low = added(high, (GIB // 2, BLOCK))
    assert grown(high, low) == (512, 1, 504, 0, 0, 504)


def test_order_of_nodes_and_zonelists_is_that_of_the_adding() -> None:
    vm = added(ham(), (4 * GIB, BLOCK), (GIB // 2, BLOCK)).vm
    assert vm.nodes == ((0, 0, 32768), (1, 1 << 20, 512), (2, 131072, 512))
    assert vm.zonelist == ((1, "HighMem"), (2, "HighMem"), (0, "Normal"), (0, "DMA"))
    with_high = added(ham(limit=None), (0, MIB // 2)).vm
    assert with_high.zonelist[0] == (0, "HighMem")


def test_struct_pages_that_share_a_page_of_the_window_are_paid_for_once() -> None:
    """68 bytes of struct page: a block's 34816 bytes end within a page, which its neighbour uses too."""
    old = Kernel(struct_page=68, least=10)
    apart = added(ham(kernel=old), (512 * MIB, BLOCK), (1022 * MIB - BLOCK, BLOCK)).vm
    assert [r.zone.metadata for r in apart.regions] == [9 + 1, 9]
    together = added(ham(kernel=old), (512 * MIB, BLOCK), (514 * MIB, BLOCK)).vm
    assert [r.zone.metadata for r in together.regions] == [9 + 1, 8]
    at_boot = added(ham(kernel=old), (128 * MIB, BLOCK)).vm  # boot's 32768 structs end at a page's end
    assert [r.zone.metadata for r in at_boot.regions] == [9 + 1]


def test_bitmaps_of_each_generation() -> None:
    cost = {}
    for kind in Bitmap:
        kernel = Kernel(struct_page=68, least=10, bitmap=kind)
        (region,) = added(ham(kernel=kernel), (GIB // 2, 66 * MIB)).vm.regions
        cost[kind] = (region.tables, region.zone.metadata)
    # 16896 pages: 281 pages of struct pages. Bits: 16896, 8448, ... in bytes rounded up to whole longs
    assert cost == {
        Bitmap.BLOCKS: (2112 + 1056 + 528 + 264 + 132 + 68 + 36 + 20 + 12, 281 + 2),
        Bitmap.PAIRS: (1056 + 528 + 264 + 132 + 68 + 36 + 20 + 12 + 8, 281 + 1),
        Bitmap.INCLUSIVE: (1056 + 528 + 264 + 132 + 68 + 36 + 20 + 12 + 8, 281 + 1),
        Bitmap.DOUBLED: (2 * (1056 + 528 + 264 + 132 + 68 + 36 + 20 + 12 + 8), 281 + 2),
    }


def test_wait_tables_cost_too() -> None:
    plain = Kernel(struct_page=48)
    tables = replace(plain, wait_queue=12)
    cost = [added(ham(kernel=k), (4 * GIB, GIB)).vm.regions[0].zone.metadata for k in (plain, tables)]
    # 262144 pages: 12 MiB of struct pages, 32704 bytes and a few of bitmaps, 1024 queues of 12 bytes
    assert cost == [3072 + 8, 3072 + 11]


def test_iomem_shows_regions_wherever_they_are() -> None:
    vm = added(ham(), (4 * GIB, BLOCK), (GIB // 2, BLOCK)).vm
    boot = (Extent(0, 0x9F000), Extent(MIB, 128 * MIB))
    below, above = Extent(GIB // 2, GIB // 2 + BLOCK), Extent(4 * GIB, 4 * GIB + BLOCK)
    assert vm.system_ram == (*boot, below, above)
    assert ham(limit=None).vm.system_ram == (Extent(0, 0x9FC00), Extent(MIB, GIB - 128 * KIB))
    crossing = ham().vm.with_memory(Extent(4 * GIB - BLOCK, 4 * GIB + BLOCK))
    assert crossing.system_ram[2:] == (Extent(4 * GIB - BLOCK, 4 * GIB), above)


def test_tables_of_small_regions_share_a_page() -> None:
    """80 bytes of bitmaps each: the first region pays for the page, all others find it backed."""
    vm = added(ham(), *((GIB // 2 + n * 2 * BLOCK, BLOCK) for n in range(REGIONS))).vm
    assert [r.zone.metadata for r in vm.regions] == [9] + [8] * 31
    assert {r.tables for r in vm.regions} == {80}


@pytest.mark.parametrize(
    ("start", "size", "attr"),
    [
        (8 * GIB, BLOCK, RO),  # said before the attribute
        (8 * GIB - BLOCK, 2 * BLOCK, Attribute.RW),
        (64 * GIB - BLOCK, BLOCK, Attribute.RW),
    ],
)
def test_what_the_window_does_not_reach_is_not_listed(start: int, size: int, attr: Attribute) -> None:
    before = ham()
    assert before.add(start, size, attr) == (before, Errno.E2BIG)


@pytest.mark.parametrize(
    ("start", "size", "attr", "result"),
    [
        (GIB // 2, 0, RO, Errno.EINVAL),
        (TOP - BLOCK, BLOCK, RO, Errno.EINVAL),
        (TOP - BLOCK, 2 * BLOCK, RO, Errno.EINVAL),
        (64 * GIB, BLOCK, RO, Errno.E2BIG),
        (8 * GIB, BLOCK, RO, Errno.E2BIG),  # where the window's reach ends
        (8 * GIB - BLOCK, 2 * BLOCK, RO, Errno.E2BIG),
        (8 * GIB - BLOCK, BLOCK + 1, RO, Errno.E2BIG),  # before its alignment is looked at
        (GIB // 2 + PAGE, BLOCK, RO, Errno.EINVAL),
        (GIB // 2, BLOCK + PAGE, RO, Errno.EINVAL),
        (GIB // 2, 1, RO, Errno.EINVAL),
        (127 * MIB, 2 * MIB, RO, Errno.EINVAL),  # the missing half
        (0, BLOCK, RO, Errno.EINVAL),  # 636K to 1M is missing
    ],
)
def test_faulty_arguments_leave_no_entry(start: int, size: int, attr: Attribute, result: Errno) -> None:
    before = ham()
    assert before.add(start, size, attr) == (before, result)


@pytest.mark.parametrize(
    ("start", "size", "attr", "result"),
    [
        (GIB - BLOCK, BLOCK, RO, Errno.EROFS),  # before the firmware's tail
        (GIB - BLOCK, BLOCK, Attribute.RW, Errno.EEXIST),
        (4 * GIB - BLOCK, BLOCK, Attribute.RW, Errno.EEXIST),  # ROM
        (0xFEC00000, BLOCK, Attribute.RW, Errno.EEXIST),  # interrupt controllers
        (0xFEE00000, BLOCK, Attribute.RW, Errno.EEXIST),
        (0xFEA00000, BLOCK, Attribute.RW, Errno.ENODEV),
        (2 * GIB, BLOCK, Attribute.RW, Errno.ENODEV),
        (6 * GIB - BLOCK, 2 * BLOCK, Attribute.RW, Errno.ENODEV),
        (8 * GIB - BLOCK, BLOCK, Attribute.RW, Errno.ENODEV),
    ],
)
def test_what_the_vm_refuses_reads_failed(start: int, size: int, attr: Attribute, result: Errno) -> None:
    before = ham()
    after, seen = before.add(start, size, attr)
    assert seen is result
    assert after.vm == before.vm
    assert after.status() == (f"{Extent(start, start + size)}  {attr} FAILED",)


def test_a_hole_of_boot_memory_is_taken() -> None:
    whole = ham(limit=None)  # RAM to 1 GiB and from 4 to 6
    assert whole.vm.booted.max_pfn == 6 << 18
    assert whole.add(2 * GIB, BLOCK)[1] is Errno.EEXIST
    assert whole.add(6 * GIB, BLOCK)[1] is Errno.ENODEV
    tail = added(ham(memory=256 * MIB, limit=None, low=None), (MIB, 254 * MIB))
    assert tail.add(0, 256 * MIB)[1] is Errno.EINVAL  # the reserved tail is no block


def test_another_resource_is_taken() -> None:
    before = ham()
    facts = replace(before.vm.facts, resources=(Extent(GIB // 2 + PAGE, GIB // 2 + 2 * PAGE),))
    taken = replace(before, vm=replace(before.vm, facts=facts))
    assert taken.add(GIB // 2, BLOCK)[1] is Errno.EEXIST
    assert taken.add(GIB // 2 + BLOCK, BLOCK)[1] is Errno.OK


def test_only_missing_pieces_are_added_and_one_bad_one_stops_all() -> None:
    before = added(ham(), (512 * MIB, BLOCK), (520 * MIB, BLOCK))
    after = added(before, (100 * MIB, 500 * MIB))
    assert [r.extent for r in after.vm.regions[2:]] == [
        Extent(128 * MIB, 512 * MIB),
        Extent(514 * MIB, 520 * MIB),
        Extent(522 * MIB, 600 * MIB),
    ]
    bad, result = before.add(500 * MIB, GIB)
    assert result is Errno.EEXIST
    assert bad.vm == before.vm
    assert [line.split()[-1] for line in bad.status()] == ["FAILED", "ENABLED", "FAILED", "ENABLED", "FAILED"]


def test_a_fault_comes_before_the_vm_looks_and_once_a_request() -> None:
    before = replace(added(ham(), (GIB // 2 + BLOCK, BLOCK)), faults=2)
    failed, result = before.add(GIB // 2, 3 * BLOCK)  # two pieces
    assert (result, failed.faults) == (Errno.ENOMEM, 1)
    assert [line.split()[-1] for line in failed.status()] == ["FAILED", "ENABLED", "FAILED"]
    again, result = failed.add(2 * GIB, BLOCK)  # no RAM there, which is not looked at
    assert (result, again.faults) == (Errno.ENOMEM, 0)
    assert failed.add(GIB // 2 + BLOCK, BLOCK) == (failed, Errno.OK)  # known: nothing is handed over
    after, results = again.retry()
    assert [r for _, r in results] == [Errno.OK, Errno.OK, Errno.ENODEV]
    assert len(after.vm.regions) == 3


def test_there_is_room_for_32_regions() -> None:
    full = added(ham(), *((GIB // 2 + n * 2 * BLOCK, BLOCK) for n in range(REGIONS)))
    assert full.vm.counters.numnodes == 33
    assert full.add(4 * GIB, BLOCK)[1] is Errno.ENOSPC
    assert full.add(4 * GIB, BLOCK, RO)[1] is Errno.EROFS
    assert full.add(GIB // 2, BLOCK) == (full, Errno.OK)
    almost = added(ham(), *((GIB // 2 + n * 2 * BLOCK, BLOCK) for n in range(REGIONS - 1)))
    _, both = almost.add(GIB // 2, 4 * BLOCK)  # two gaps: the second piece has no room, so neither is added
    assert both is Errno.ENOSPC


def test_lower_zones_keep_more_back_where_watermarks_have_classes() -> None:
    kernel = Kernel(struct_page=48, ratios=(128, 128, 128), lower_ratios=(256, 32))
    before = ham(kernel=kernel)
    dma, normal = (z for _, z in before.vm.zones)
    assert (len(dma.marks), len(normal.marks)) == (2, 1)  # boot had no high memory
    after = added(before, (GIB // 2, 256 * MIB), (4 * GIB, 128 * MIB))
    dma, normal = (z for node, z in after.vm.zones if not node)
    assert normal.marks == (Marks(224, 448, 672), Marks(224 + 3072, 448 + 3072, 672 + 3072))
    assert dma.marks[2].least == 32 + (28672 + 98304) // 256
    assert [len(z.marks) for node, z in after.vm.zones if node] == [1, 1]
    plain = ham().vm
    assert added(ham(), (GIB // 2, BLOCK)).vm.zones[:2] == plain.zones


def test_without_a_window_nothing_can_be_added() -> None:
    vm = booted(Kernel(), BootFacts(qemu.firmware_map(GIB, "pc", hypertransport=False)), 128 * MIB)
    assert Ham(vm).add(256 * MIB, BLOCK) == (Ham(vm), Errno.E2BIG)
    assert Ham(vm).add(64 * MIB, BLOCK) == (Ham(vm), Errno.OK)  # known, window or not


def test_4_gib_end_the_addresses_of_two_level_page_tables() -> None:
    before = ham(kernel=Kernel(Highmem.G4))
    assert before.add(4 * GIB, BLOCK) == (before, Errno.E2BIG)
    assert before.add(4 * GIB - BLOCK, BLOCK)[1] is Errno.EEXIST


def test_the_scenario_that_ships_is_what_the_model_expects() -> None:
    scenario = scenarios.load(scenarios.scenarios_folder() / "regions-24.toml")
    outcomes = carry_through(scenario, default_facts(scenario))
    assert [o.result for o in outcomes[1:]] == [s.expect for s in scenario.steps]
    shown = expectation(scenario)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["line"] == "2.4"
    assert shown["measured"] is False
    last = shown["steps"][-1]
    assert last["globals"]["numnodes"] == len(last["nodes"]) == 5
    assert [s["metadata_pages"] for s in shown["steps"][:5]] == [0, 257, 1026, 1026, 512 + 1]
    assert last["zonelist"][-2:] == ["node 0 Normal", "node 0 DMA"]
    assert sum(z["spanned"] for z in last["zones"]) == last["globals"]["num_physpages"]
    assert last["meminfo_kib"]["MemTotal"] * KIB == last["globals"]["totalram_pages"] * PAGE
    assert rows(scenario)[1][3].endswith("HighMem@1 16127")


def test_a_scenario_for_both_lines_has_two_expectations() -> None:
    text = (scenarios.scenarios_folder() / "default.toml").read_text()
    scenario = scenarios.parse(text.replace('name = "default"', 'name = "default"\nline = "both"'))
    assert scenario.lines == (Line.MAINLINE, Line.LINUX24)
    new, old = (expectation(scenario, line) for line in scenario.lines)
    assert new["steps"][1]["mem_total_change_kib"] == 131072
    assert old["steps"][1]["mem_total_change_kib"] < 131072
    assert old["steps"][8]["result"] == "E2BIG"
    assert new["steps"][8]["result"] == "ENODEV"


def test_the_scenario_for_both_lines_is_answered_alike() -> None:
    scenario = scenarios.load(scenarios.scenarios_folder() / "lines.toml")
    new, old = (expectation(scenario, line)["steps"] for line in scenario.lines)
    assert [step["status"] for step in new] == [step["status"] for step in old]
    assert [step["result"] for step in new] == [step["result"] for step in old]
    assert len(new[-1]["status"]) == 5


def test_counters_of_a_window_that_is_too_small() -> None:
    text = (scenarios.scenarios_folder() / "regions-24.toml").read_text()
    small = text.replace('reserve = "128M"', 'hotadd = "8M"').replace('"128M"', '"256M"', 1)
    scenario = scenarios.parse(
        small.split("[[step]]")[0] + '[[step]]\naction = "add"\nstart = "4G"\nsize = "2M"\n'
    )
    facts = default_facts(scenario)
    assert facts.window is not None
    assert facts.window.reach == 512 * MIB
    assert carry_through(scenario, facts)[1].result is Errno.E2BIG
    whole = replace(scenario, machine=replace(scenario.machine, boot_memory=scenario.machine.memory))
    unused = default_facts(whole)
    assert unused.window is None
    assert unused.low_pages == 884 * 256  # lowmem has given the window all the same
    assert isinstance(carry_through(whole, unused)[0].vm.counters, Globals)
