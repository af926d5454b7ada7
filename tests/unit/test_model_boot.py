"""The model after boot, against cases worked out by hand and maps of real machines."""

from __future__ import annotations

import ast
import errno
from pathlib import Path

import pytest

import hamkit.model
from hamkit.model import qemu
from hamkit.model.extents import GIB, KIB, MIB, PAGE, Extent, covered, merged, without
from hamkit.model.firmware import RESERVED, USABLE, Entry, boot_pages, boot_ram
from hamkit.model.mainline import BootFacts, Mainline, Policy, Zone, boot
from hamkit.model.scenario import Errno
from hamkit.prove.report import parse_iomem, parse_map

MAPS = Path(__file__).parent.parent / "data" / "model" / "maps"


def q35(memory: int, boot_memory: int) -> Mainline:
    return boot(BootFacts(qemu.firmware_map(memory), (), qemu.resources(memory)), boot_memory)


def test_512_of_2304_mib() -> None:
    vm = q35(2304 * MIB, 512 * MIB)
    # page 0 is the BIOS's; RAM ends at 0x9fc00, within page 0x9f; 1 MiB is page 256
    below_640k, above_1m = 0x9F - 1, 4096 - 256
    assert vm.zones == (
        Zone("DMA", 1, 4095, below_640k + above_1m, below_640k + above_1m),
        Zone("DMA32", 4096, 126976, 126976, 126976),
        Zone("Normal"),
        Zone("Movable"),
    )
    assert vm.mem_total_kib == 523896  # as the kernel's Memory: line counts
    assert vm.system_ram == (Extent(0x1000, 0x9FC00), Extent(MIB, 512 * MIB))
    assert vm.blocks == tuple((n, True) for n in range(4))


def test_memory_with_a_hole_and_ram_above_4_gib() -> None:
    vm = q35(5 * GIB, 5 * GIB)  # mem= is an address: RAM lies below 2 GiB and at 4 to 7 GiB
    dma32, normal = vm.zones[1], vm.zones[2]
    low_end = 0x7FFDF000  # 2 GiB less the firmware's 132 KiB
    assert (dma32.start, dma32.spanned) == (4096, 1048576 - 4096)  # the hole below 4 GiB is spanned
    assert dma32.present == low_end // PAGE - 4096
    assert normal == Zone("Normal", 1048576, 262144, 262144, 262144)  # 1 GiB of the 3 above
    assert [n for n, _ in vm.blocks] == [*range(16), *range(32, 40)]


def test_boot_memory_that_ends_within_a_block() -> None:
    vm = q35(2304 * MIB, 500 * MIB)
    assert vm.system_ram[-1] == Extent(MIB, 500 * MIB)
    assert vm.zones[1].end == 128000
    assert [n for n, _ in vm.blocks] == [0, 1, 2, 3]


def test_boot_memory_that_ends_within_a_page() -> None:
    entries = qemu.firmware_map(2304 * MIB)
    assert boot_ram(entries, 500 * MIB + KIB)[-1].end == 500 * MIB + KIB
    assert boot_pages(entries, 500 * MIB + KIB)[-1].end == 500 * MIB


def test_boot_memory_to_the_firmwares_tail() -> None:
    vm = q35(2304 * MIB, 2304 * MIB)
    assert vm.system_ram[-1].end == 0x8FFDF000
    assert vm.blocks[-1] == (17, True)  # present although its last pages are not RAM


def test_less_than_a_page_of_ram_has_no_page() -> None:
    entries = (Entry(Extent(MIB + 1, MIB + PAGE), USABLE),)
    vm = boot(BootFacts(entries), GIB)
    assert boot_pages(entries, GIB) == ()
    assert all(z.spanned == 0 for z in vm.zones)
    assert vm.blocks == ()


def test_mem_takes_ram_only() -> None:
    entries = (Entry(Extent(MIB, GIB), USABLE), Entry(Extent(GIB, 2 * GIB), RESERVED))
    vm = boot(BootFacts(entries), 512 * MIB)
    assert vm.system_ram == (Extent(MIB, 512 * MIB),)
    assert vm.facts.firmware == entries


def test_page_0_and_640k_to_1m_are_never_ram() -> None:
    entries = (Entry(Extent(0, GIB), USABLE),)
    assert boot_ram(entries, GIB) == (Extent(PAGE, 640 * KIB), Extent(MIB, GIB))


def test_measured_managed_pages_are_taken_and_others_assumed() -> None:
    entries = qemu.firmware_map(2304 * MIB)
    facts = BootFacts(entries, (("DMA", 3840), ("DMA32", 112794), ("Normal", 0), ("Device", 0)))
    assert boot(facts, 512 * MIB).mem_total_kib == 466536
    assert facts.measured
    assert not BootFacts(entries).measured


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.txt")), ids=lambda p: p.stem)
def test_layout_of_qemus_machines(path: Path) -> None:
    board, mib = path.stem.split("-")
    memory = int(mib) * MIB
    text = path.read_text()
    assert qemu.firmware_map(memory, board) == parse_map(text)
    iomem = parse_iomem([line for line in text.splitlines() if "e820" not in line])
    top = {line.extent for line in iomem if line.depth == 0 and line.extent.start >= MIB}
    kept = {e.extent for e in qemu.firmware_map(memory, board) if e.extent.start >= MIB}
    assert {r.extent for r in qemu.resources(memory, board)} | kept == top


def test_unknown_board() -> None:
    with pytest.raises(KeyError):
        qemu.firmware_map(GIB, "z80")


def test_extents() -> None:
    a, b, c = Extent(0, 10), Extent(10, 20), Extent(30, 40)
    assert merged([c, b, a]) == (Extent(0, 20), c)
    assert without(Extent(5, 50), [a, c]) == (Extent(10, 30), Extent(40, 50))
    assert without(a, [Extent(0, 100)]) == ()
    assert covered(Extent(5, 15), [a, b])
    assert not covered(Extent(5, 35), [a, b, c])
    assert Extent(1, PAGE).whole_pages() is None
    assert str(Extent(0x20000000, 0x28000000)) == "0000000020000000-0000000027ffffff"


@pytest.mark.parametrize(("start", "end"), [(1, 1), (2, 1), (-1, 1), (0, (1 << 64) + 1)])
def test_extents_are_never_empty_nor_beyond_64_bits(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="64-bit"):
        Extent(start, end)


def test_errnos_are_linuxs() -> None:
    for member in Errno:
        assert member is Errno.OK or int(member) == getattr(errno, member.name)
        assert Errno.parse(member.word) is member


def test_policies_are_the_kernels() -> None:
    assert {str(p) for p in Policy} == {"offline", "online", "online_kernel", "online_movable"}


def test_the_model_imports_nothing_else_of_ours() -> None:
    for path in Path(hamkit.model.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names.append(node.module or "")
            ours = [n for n in names if n.split(".")[0] == "hamkit"]
            assert all(n.startswith("hamkit.model") for n in ours), path.name
