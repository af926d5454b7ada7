"""The model after hot-adds: zones, blocks, HAM's list and its results, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hamkit.model import qemu
from hamkit.model.extents import GIB, MIB, TOP, Extent
from hamkit.model.firmware import RESERVED, USABLE, Entry
from hamkit.model.mainline import MOVABLE, NORMAL, BootFacts, Mainline, Policy, Zone, boot, zone_for
from hamkit.model.ranges import CAPACITY, Ham, Range
from hamkit.model.scenario import Attribute, Errno

BLOCK = 128 * MIB
RO = Attribute.RO


def ham(
    boot_memory: int = 512 * MIB, memory: int = 2304 * MIB, policy: Policy = Policy.ONLINE
) -> Ham[Mainline]:
    facts = BootFacts(qemu.firmware_map(memory), (), qemu.resources(memory), policy=policy)
    return Ham(boot(facts, boot_memory))


def added(before: Ham[Mainline], *requests: tuple[int, int]) -> Ham[Mainline]:
    for start, size in requests:
        before, result = before.add(start, size)
        assert result is Errno.OK
    return before


def normal(state: Ham[Mainline]) -> Zone:
    return state.vm.zones[NORMAL]


def test_memory_above_the_boot_span_goes_to_normal_even_below_4_gib() -> None:
    after = added(ham(), (512 * MIB, BLOCK))
    assert after.vm.zones[1] == ham().vm.zones[1]
    assert normal(after) == Zone("Normal", 131072, 32768, 32768, 32768)
    assert after.vm.mem_total_kib - ham().vm.mem_total_kib == 131072
    assert after.vm.vmemmap_kib == 2048  # 32768 pages of 64 bytes
    assert after.status() == ("0000000020000000-0000000027ffffff  rw ENABLED",)


def test_normal_spans_holes_and_grows_down() -> None:
    after = added(ham(), (GIB, 2 * BLOCK))
    assert normal(after) == Zone("Normal", 262144, 65536, 65536, 65536)
    after = added(after, (512 * MIB, BLOCK))
    assert normal(after) == Zone("Normal", 131072, 196608, 98304, 98304)


def test_a_block_in_the_hole_that_dma32_spans_goes_to_dma32() -> None:
    entries = (Entry(Extent(MIB, GIB), USABLE), Entry(Extent(4 * GIB, 5 * GIB), USABLE))
    before = boot(BootFacts(entries, policy=Policy.ONLINE), 8 * GIB)
    after = before.with_memory(Extent(2 * GIB, 2 * GIB + BLOCK))
    assert after.zones[1].present - before.zones[1].present == 32768
    assert after.zones[1].spanned == before.zones[1].spanned
    assert after.zones[NORMAL] == before.zones[NORMAL]


def test_zone_choice_with_a_movable_zone() -> None:
    zones = (Zone("DMA", 1, 99), Zone("DMA32"), Zone("Normal", 200, 100), Zone("Movable", 250, 250))
    assert zone_for(zones, 400, 410, Policy.ONLINE) == MOVABLE  # only Movable spans it
    assert zone_for(zones, 400, 410, Policy.ONLINE_KERNEL) == NORMAL
    assert zone_for(zones, 260, 270, Policy.ONLINE) == NORMAL  # both do: a kernel zone it is
    assert zone_for(zones, 600, 610, Policy.ONLINE) == NORMAL  # none does
    assert zone_for(zones, 50, 60, Policy.ONLINE) == 0
    assert zone_for(zones, 600, 610, Policy.ONLINE_MOVABLE) == MOVABLE


def test_policy_offline_leaves_a_range_present_until_it_is_onlined() -> None:
    before = ham(policy=Policy.OFFLINE)
    after = added(before, (512 * MIB, 2 * BLOCK))
    assert after.status() == ("0000000020000000-000000002fffffff  rw PRESENT",)
    assert after.vm.mem_total_kib == before.vm.mem_total_kib
    assert after.vm.vmemmap_kib == 4096  # paid for when added
    assert after.vm.system_ram[-1] == Extent(512 * MIB, 768 * MIB)
    assert normal(after).spanned == 0
    half = replace(after, vm=replace(after.vm, blocks=((*after.vm.blocks[:-1], (5, True)))))
    assert half.status()[0].endswith("PRESENT")
    done = replace(after, vm=after.vm.online())
    assert done.status()[0].endswith("ENABLED")
    assert normal(done).managed == 65536


@pytest.mark.parametrize(
    ("start", "size", "attr", "result"),
    [
        (512 * MIB, 0, RO, Errno.EINVAL),
        (0, 0, RO, Errno.EINVAL),
        (TOP - BLOCK, 2 * BLOCK, RO, Errno.EINVAL),
        (TOP - BLOCK, BLOCK, RO, Errno.EINVAL),  # the sum is 0 in 64 bits
        (1 << 40, BLOCK, RO, Errno.E2BIG),
        ((1 << 40) - BLOCK, BLOCK + 1, RO, Errno.E2BIG),  # before its alignment is looked at
        (512 * MIB + 4096, BLOCK, RO, Errno.EINVAL),
        (512 * MIB, BLOCK + 4096, RO, Errno.EINVAL),
        (0, BLOCK, RO, Errno.EINVAL),  # page 0 and the BIOS's hole are missing, and small
    ],
)
def test_faulty_arguments_leave_no_entry(start: int, size: int, attr: Attribute, result: Errno) -> None:
    before = ham()
    assert before.add(start, size, attr) == (before, result)


@pytest.mark.parametrize(
    ("start", "blocks", "attr", "result"),
    [
        (0x80000000, 2, Attribute.RW, Errno.EEXIST),  # the firmware's tail
        (0x90000000, 1, Attribute.RW, Errno.EEXIST),  # a PCI window
        (0x1000000000, 1, Attribute.RW, Errno.ENODEV),
        ((1 << 40) - BLOCK, 1, Attribute.RW, Errno.EEXIST),  # still addressable
        (0x80000000, 2, RO, Errno.EROFS),  # said first
        (512 * MIB, 1, RO, Errno.EROFS),
        (0x88000000, 4096, Attribute.RW, Errno.EEXIST),
    ],
)
def test_what_the_vm_refuses_reads_failed(start: int, blocks: int, attr: Attribute, result: Errno) -> None:
    before = ham()
    after, seen = before.add(start, blocks * BLOCK, attr)
    assert seen is result
    assert after.vm == before.vm
    assert after.status() == (f"{Extent(start, start + blocks * BLOCK)}  {attr} FAILED",)


def test_known_memory_is_success_and_changes_nothing() -> None:
    before = added(ham(), (512 * MIB, BLOCK))
    for start, size in ((512 * MIB, BLOCK), (MIB, GIB // 2), (512 * MIB + 1, 1), (256 * MIB, 300 * MIB)):
        assert before.add(start, size) == (before, Errno.OK)
    assert before.add(512 * MIB, BLOCK, RO) == (before, Errno.OK)


def test_only_missing_pieces_are_added_each_its_own_entry() -> None:
    before = added(ham(), (768 * MIB, BLOCK))
    after = added(before, (256 * MIB, GIB))
    assert [r.extent for r in after.ranges] == [
        Extent(512 * MIB, 768 * MIB),
        Extent(768 * MIB, 768 * MIB + BLOCK),
        Extent(768 * MIB + BLOCK, 1280 * MIB),
    ]
    assert normal(after).present == 6 * 32768


def test_missing_rest_of_a_boot_block_is_misaligned() -> None:
    before = ham(boot_memory=500 * MIB)
    assert before.add(384 * MIB, BLOCK) == (before, Errno.EINVAL)
    assert before.add(384 * MIB, 2 * BLOCK) == (before, Errno.EINVAL)
    tail = ham(boot_memory=2304 * MIB)
    assert tail.add(0x88000000, BLOCK) == (tail, Errno.EINVAL)


def test_one_bad_piece_fails_all_and_integrates_none() -> None:
    before = added(ham(), (GIB, BLOCK))
    after, result = before.add(768 * MIB, 0x60000000)  # from 768 MiB into the firmware's tail
    assert result is Errno.EEXIST
    assert after.vm == before.vm
    assert [(r.extent, r.failed) for r in after.ranges] == [
        (Extent(768 * MIB, GIB), True),
        (Extent(GIB, GIB + BLOCK), False),
        (Extent(GIB + BLOCK, 0x90000000), True),
    ]


def test_the_first_bad_piece_gives_the_result() -> None:
    ram = [Entry(e, USABLE) for e in (Extent(MIB, GIB), Extent(2 * GIB, 3 * GIB))]
    facts = BootFacts((*ram, Entry(Extent(3 * GIB, 3 * GIB + BLOCK), RESERVED)))
    after, result = Ham(boot(facts, 8 * GIB)).add(512 * MIB, 3 * GIB)
    assert result is Errno.ENODEV
    assert [str(r.extent) for r in after.ranges] == [
        "0000000040000000-000000007fffffff",
        "00000000c0000000-00000000dfffffff",
    ]


def test_what_failed_gives_way_to_what_succeeds() -> None:
    failed, _ = ham().add(512 * MIB, 3 * BLOCK, RO)
    after = added(failed, (512 * MIB + BLOCK, BLOCK))
    assert after.status() == (
        "0000000020000000-0000000027ffffff  ro FAILED",
        "0000000028000000-000000002fffffff  rw ENABLED",
        "0000000030000000-0000000037ffffff  ro FAILED",
    )
    again, result = after.add(512 * MIB, 3 * BLOCK, RO)
    assert (again, result) == (after, Errno.EROFS)


def test_retry_tries_each_and_keeps_what_fails() -> None:
    failed, _ = ham().add(0x80000000, 2 * BLOCK)
    failed, _ = failed.add(0x70000000, BLOCK, RO)
    assert failed.retry() == (
        failed,
        ((Extent(0x70000000, 0x78000000), Errno.EROFS), (Extent(0x80000000, 0x90000000), Errno.EEXIST)),
    )
    assert ham().retry() == (ham(), ())


def test_retry_adds_what_became_possible() -> None:
    failed, result = ham().add(0x70000000, 0x20000000)  # its last block holds the firmware's tail
    assert result is Errno.EEXIST
    failed, _ = failed.add(0x88000000, BLOCK)
    assert [str(r.extent) for r in failed.ranges] == [
        "0000000070000000-0000000087ffffff",
        "0000000088000000-000000008fffffff",
    ]
    after, results = failed.retry()
    assert [r for _, r in results] == [Errno.OK, Errno.EEXIST]
    assert after.status()[0].endswith("ENABLED")
    assert after.status()[1].endswith("FAILED")


def test_the_list_has_room_for_4096() -> None:
    full = replace(
        ham(),
        ranges=tuple(
            Range(
                Extent((1 << 39) + 2 * n * BLOCK, (1 << 39) + (2 * n + 1) * BLOCK), Attribute.RW, failed=True
            )
            for n in range(CAPACITY)
        ),
    )
    assert full.add(512 * MIB, BLOCK) == (full, Errno.ENOSPC)
    assert full.add(512 * MIB, BLOCK, RO) == (full, Errno.ENOSPC)
    assert full.add(256 * MIB, BLOCK) == (full, Errno.OK)
