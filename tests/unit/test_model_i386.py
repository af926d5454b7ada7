"""The 2.4 model after boot, against captured boots of 2.4.13 and cases worked out by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit.model import qemu
from hamkit.model.expect_24 import assumed_window
from hamkit.model.extents import GIB, MIB, PAGE, Extent
from hamkit.model.firmware import RESERVED, USABLE, Entry
from hamkit.model.i386 import (
    Booted,
    BootFacts,
    ExtraFree,
    Highmem,
    Kernel,
    Marks,
    MemOption,
    Window,
    boot,
    watermarks,
)

BOOTS = Path(__file__).parent.parent / "data" / "model" / "boots24"
NONE = Kernel(Highmem.NONE)
NAMES = ("num_physpages", "numnodes", "totalram_pages", "highend_pfn", "max_mapnr", "totalhigh_pages")


def counters(vm: Booted) -> list[int]:
    return [getattr(vm.counters, name) for name in NAMES]


def pc(memory: int, low: int | None = None) -> tuple[Entry, ...]:
    return qemu.firmware_map(memory, "pc", low, hypertransport=False)


def number(pattern: str, text: str) -> int:
    match = re.search(pattern, text, re.MULTILINE)
    assert match, pattern
    return int(match[1])


def captured(text: str) -> tuple[Kernel, BootFacts, int | None]:
    """What a capture's lines say to the model: everything but what is to be derived."""
    lines = re.findall(r"BIOS-e820: ([0-9a-f]{16}) - ([0-9a-f]{16}) \((\w+)\)", text)
    entries = tuple(Entry(Extent(int(a, 16), int(b, 16)), kind) for a, b, kind in lines)
    mem, shown = re.search(r"mem=(\d+)M", text), re.search(r"window ([0-9a-f]+)-([0-9a-f]+), memory", text)
    window = None
    if shown:
        reach = number(r"memory up to (\d+)MB", text) * MIB
        window = Window(Extent(int(shown[1], 16), int(shown[2], 16) + 1), reach)
    low = 0 if shown else number(r"zone\(0\): (\d+)", text) + number(r"zone\(1\): (\d+)", text)
    facts = BootFacts(entries, window, number(r"(\d+)k reserved", text), number(r"(\d+)k freed", text), low)
    highmem = Highmem(re.search(r"# highmem (\w+)", text)[1])  # type: ignore[index]
    return Kernel(highmem), facts, int(mem[1]) * MIB if mem else None


@pytest.mark.parametrize("path", sorted(BOOTS.glob("*.log")), ids=lambda p: p.stem)
def test_captured_boots(path: Path) -> None:
    text = path.read_text()
    vm = boot(*captured(text))
    assert [z.spanned for z in vm.zones] == [number(rf"zone\({n}\): (\d+)", text) for n in range(3)]
    assert vm.max_pfn == number(r"totalpages: (\d+)", text)
    assert vm.counters.totalram_pages * 4 == number(r"MemTotal: +(\d+)", text)
    assert vm.counters.totalhigh_pages * 4 == number(r"HighTotal: +(\d+)", text)
    freed = number(r"(\d+)k freed", text)
    assert vm.counters.totalram_pages * 4 - freed == number(r"Memory: (\d+)k", text)
    assert vm.max_pfn * 4 == number(r"Memory: \d+k/(\d+)k", text)
    ram = re.findall(r"^([0-9a-f]{8})-([0-9a-f]{8}) : System RAM", text, re.MULTILINE)
    assert [f"{e.start:08x}-{e.end - 1:08x}" for e in vm.ram if e.end <= 4 * GIB] == [
        "-".join(r) for r in ram
    ]


@pytest.mark.parametrize("path", sorted(BOOTS.glob("*.log")), ids=lambda p: p.stem)
def test_the_firmwares_map_of_captured_boots(path: Path) -> None:
    text = path.read_text()
    memory, low = number(r"# memory (\d+)", text), re.search(r"# low_memory (\d+)", text)
    assert captured(text)[1].firmware == pc(memory * MIB, int(low[1]) * MIB if low else None)


def test_256_of_2048_mib_by_hand() -> None:
    window = Window(Extent(0xD0200000, 0xD8400000), 8 * GIB)
    facts = BootFacts(pc(2 * GIB), window, reserved_kib=5688, freed_kib=64)
    vm = boot(Kernel(), facts, 256 * MIB)
    # mem= replaces the map: 159 pages below 636K, 65280 above 1M, less 1422 reserved, 16 freed
    assert counters(vm) == [65536, 1, 159 + 65280 - 1422 + 16, 65536, 65536, 0]
    assert [(z.name, z.start, z.spanned, z.present) for z in vm.zones] == [
        ("DMA", 0, 4096, 159 + 3840),
        ("Normal", 4096, 61440, 61440),
        ("HighMem", 0, 0, 0),
    ]
    assert vm.zones[0].holes == 97
    assert [z.marks for z in vm.zones] == [(Marks(128, 256, 384),), (Marks(255, 510, 765),), ()]


def test_lowmem_gives_the_window_and_a_gap() -> None:
    window = Window(Extent(0xEFE00000, 0xF8000000), 8 * GIB)
    vm = boot(Kernel(), BootFacts(pc(1536 * MIB), window))
    assert [z.spanned for z in vm.zones] == [4096, 764 * 256 - 4096, 393184 - 764 * 256]
    assert counters(vm)[5] == 197600
    two_levels = boot(Kernel(Highmem.G4), BootFacts(pc(1536 * MIB), window))
    assert two_levels.zones[1].end == 762 * 256


def test_a_machine_of_less_than_16_mib_has_one_zone() -> None:
    vm = boot(Kernel(), BootFacts(pc(64 * MIB)), 12 * MIB)
    assert [z.spanned for z in vm.zones] == [3072, 0, 0]
    assert vm.zones[1].marks == ()


def test_each_configuration_ends_somewhere() -> None:
    facts = BootFacts(pc(5 * GIB))  # RAM to 3 GiB, and 4 to 6 GiB
    tops = [boot(Kernel(h), facts).max_pfn for h in (Highmem.NONE, Highmem.G4, Highmem.G64)]
    assert tops == [896 * 256, 1 << 20, 6 << 18]
    high = boot(Kernel(Highmem.G4), facts).zones[2]
    assert high.present == (3 * GIB - 128 * 1024 - 896 * MIB) // PAGE  # the hole is spanned, not present
    assert boot(NONE, facts).zones[2].spanned == 0
    assert counters(boot(NONE, facts))[5] == 0


def test_mem_replaces_or_limits() -> None:
    ends = ((0, 0x9FC00), (MIB, 100 * MIB), (200 * MIB, 300 * MIB))
    entries = [Entry(Extent(*e), USABLE) for e in ends]
    facts = BootFacts((*entries, Entry(Extent(300 * MIB, 301 * MIB), RESERVED)))
    limit = Kernel(mem_option=MemOption.LIMIT)
    assert boot(Kernel(), facts, 150 * MIB).ram == (Extent(0, 0x9F000), Extent(MIB, 150 * MIB))
    assert boot(limit, facts, 150 * MIB).ram == (Extent(0, 0x9FC00), Extent(MIB, 100 * MIB))
    assert boot(limit, facts, 250 * MIB).ram[2] == Extent(200 * MIB, 250 * MIB)
    assert boot(limit, facts).max_pfn == 300 * 256
    assert boot(Kernel(), facts, MIB).ram == (Extent(0, 0x9F000),)


def test_watermarks_are_held_between_least_and_most() -> None:
    sizes = (4096, 196608, 1000)
    assert watermarks(Kernel(), sizes) == (
        (Marks(128, 256, 384),),
        (Marks(255, 510, 765),),
        (Marks(20, 40, 60),),  # 1000 / 128 is 7
    )
    old = Kernel(least=10)
    assert watermarks(old, (0, 0, 1000))[2] == (Marks(10, 20, 30),)
    assert watermarks(Kernel(ratios=(128, 128, 128)), sizes)[0] == (Marks(32, 64, 96),)


def test_watermarks_of_each_class_keep_lower_zones_back() -> None:
    new = Kernel(ratios=(128, 128, 128), lower_ratios=(256, 32))
    dma, normal, high = watermarks(new, (4096, 192512, 32768))
    assert high == (Marks(255, 510, 765),)
    assert normal == (Marks(255, 510, 765), Marks(255 + 1024, 510 + 1024, 765 + 1024))
    assert dma == (
        Marks(32, 64, 96),
        Marks(32 + 752, 64 + 752, 96 + 752),  # 192512 / 256
        Marks(32 + 880, 64 + 880, 96 + 880),  # (192512 + 32768) / 256
    )
    assert watermarks(new, (4096, 4096, 0))[0] == (Marks(32, 64, 96), Marks(48, 80, 112))


RED_HAT = ExtraFree((128, 512, 0), (1024, 1024, 0), (20, 20, 20), (255, 255, 255))
RHEL3_PAE = ExtraFree((4097, 512, 0), (0, 1024, 0), (0, 20, 20), (0, 255, 255))


def test_extra_free_memory_follows_from_the_node() -> None:
    """As free_area_init_core() of Red Hat 8.0 and RHEL 3 has it, seen at boot with 128 MiB."""
    ratios = (128, 128, 128)
    dma, normal, _ = watermarks(Kernel(ratios=ratios, extra_free=RED_HAT), (4096, 28672, 0))
    assert dma == (Marks(288, 320, 352),)  # 32768 / 128 more
    assert normal == (Marks(224, 448, 672),)  # 32768 / 512 is less than the most value: nothing more
    pae = Kernel(ratios=(4097, 128, 128), extra_free=RHEL3_PAE)
    assert watermarks(pae, (2048, 30720, 0))[:2] == ((Marks(0, 0, 0),), (Marks(240, 480, 720),))
    assert watermarks(pae, (0, 0, 65536))[2] == (Marks(255, 1024, 1536),)  # only the first is held
    assert watermarks(pae, (4096, 225280, 819200))[1] == (Marks(1024 + 255, 1024 + 3520, 1024 + 5280),)


def test_a_share_of_memory_as_dma_zone() -> None:
    rhel3 = Kernel(max_order=11, dma_share=20, dma_least=2048)
    for mib, pages in ((128, 2048), (256, 2048), (320, 4096), (512, 4096), (8192, 4096)):
        assert rhel3.dma_end(mib * 256) == pages * 4096, mib
    assert replace(rhel3, dma_least=4096).dma_end(128 * 256) == 16 * MIB
    assert Kernel().dma_end(128 * 256) == 16 * MIB


def test_processors_keep_free_pages_to_themselves() -> None:
    red_hat = Kernel(per_cpu_pages=512)
    assert [red_hat.kept_by_processors(pages, 1) for pages in (100, 28672, 65536, 1 << 20)] == [
        1,
        224,
        512,
        512,
    ]
    assert [red_hat.kept_by_processors(pages, 2) for pages in (28672, 1 << 20)] == [224, 1024]
    assert Kernel().kept_by_processors(65536, 1) == 0


def test_an_assumed_window_is_what_the_kernel_would_print() -> None:
    for reserve, size, reach in (
        (1, 2, 64),
        (8, 10, 512),
        (33, 34, 2112),
        (128, 130, 8192),
        (512, 516, 32768),
    ):
        window = assumed_window(Kernel(reserve=reserve))
        assert window is not None
        assert (window.addresses.size, window.reach) == (size * MIB, reach * MIB)
    assert assumed_window(Kernel(hotadd="8")) == assumed_window(Kernel(reserve=8))
    four = assumed_window(Kernel(Highmem.G4, reserve=128))
    assert four is not None
    assert (four.addresses.size, four.reach) == (68 * MIB, 4 * GIB)
    cut = assumed_window(Kernel(hotadd="4G"))
    assert cut is not None
    assert cut.addresses.size == 638 * MIB
    assert assumed_window(Kernel(hotadd="0")) is None
    assert assumed_window(NONE) is None


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        (None, 128), ("0", 0), ("64", 64), ("64M", 64), ("64m", 64), ("0x40", 64), ("0100M", 64),
        ("1G", 1024), ("3g", 3072), ("4G", 4096), ("99G", 4096), ("65536K", 64), ("65537k", 65),
        ("100K", 1), ("0K", 0), ("999999999", 999999999), ("0xfffffff", 0xFFFFFFF),
        # not understood: the configuration's
        ("", 128), ("M", 128), ("64MB", 128), ("64T", 128), ("-1", 128), ("08", 128), ("0x", 128),
        ("1234567890", 128), ("0xffffffff", 128), ("64M,1", 128), ("1.5G", 128), ("12ab", 128),
    ],
)  # fmt: skip
def test_the_boot_option_as_it_is_typed(word: str | None, asked: int) -> None:
    assert Kernel(hotadd=word).asked == asked
