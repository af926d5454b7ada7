"""What QEMU's SeaBIOS machines report, for a model without a boot.

Read off the maps and /proc/iomem of QEMU 7.2 with 512 MiB to 5 GiB. A comparison with
a boot never uses this: it takes the map that the kernel printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamkit.model.extents import GIB, KIB, Extent
from hamkit.model.firmware import RESERVED, USABLE, Entry, Resource

ROM = Extent(0xFFFC0000, 4 * GIB)
EBDA = Extent(0x9FC00, 0xA0000)  # the BIOS's own data below 640K
BIOS = Extent(0xF0000, 0x100000)
AMD_HYPERTRANSPORT = Extent(0xFD00000000, 0x10000000000)
MMCONFIG = Extent(0xB0000000, 0xC0000000)
PCI_END = 0xFEC00000
CHIPS = (
    Resource(Extent(0xFEC00000, 0xFEC00400), "IOAPIC 0"),
    Resource(Extent(0xFED00000, 0xFED00400), "HPET 0"),
    Resource(Extent(0xFEE00000, 0xFEE01000), "Local APIC"),
)


@dataclass(frozen=True)
class Board:
    """How a machine type lays memory out. All in bytes.

    RAM of ``split_from`` and more is split: ``low_when_split`` stays below 4 GiB. The last
    ``tail`` bytes of the low part hold the firmware's tables. ``pci64`` is the size of the
    PCI window above all RAM.
    """

    split_from: int
    low_when_split: int
    tail: int
    chipset: tuple[Extent, ...]
    pci64: int


BOARDS = {
    "q35": Board(0xB0000000, 0x80000000, 132 * KIB, (MMCONFIG, Extent(0xFED1C000, 0xFED20000)), 32 * GIB),
    "pc": Board(0xE0000000, 0xC0000000, 128 * KIB, (), 2 * GIB),
}


def firmware_map(
    memory: int, board: str = "q35", most_low: int | None = None, *, hypertransport: bool = True
) -> tuple[Entry, ...]:
    """The E820 map of a machine with ``memory`` bytes. Raises KeyError for an unknown board.

    At most ``most_low`` bytes of RAM lie below 4 GiB; ``hypertransport``: for a processor with 40 or more
    physical bits the firmware reserves the last addresses below 1 TiB.
    """
    layout = BOARDS[board]
    low = _low(memory, layout, most_low)
    usable = [Extent(0, EBDA.start), Extent(BIOS.end, low - layout.tail)]
    if memory > low:
        usable.append(Extent(4 * GIB, 4 * GIB + memory - low))
    kept = [EBDA, BIOS, Extent(low - layout.tail, low), *layout.chipset, ROM]
    kept += [AMD_HYPERTRANSPORT] if hypertransport else []
    return tuple(sorted([Entry(e, USABLE) for e in usable] + [Entry(e, RESERVED) for e in kept]))


def resources(memory: int, board: str = "q35", most_low: int | None = None) -> tuple[Resource, ...]:
    """What else is taken in /proc/iomem above 1 MiB: PCI's windows and the chipset."""
    layout = BOARDS[board]
    low = _low(memory, layout, most_low)
    edges = [low, *(e for m in layout.chipset if m.end <= PCI_END for e in (m.start, m.end)), PCI_END]
    windows = [Extent(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]
    high = -(-(4 * GIB + memory - low) // GIB) * GIB
    windows.append(Extent(high, high + layout.pci64))
    return tuple(Resource(w, "PCI Bus 0000:00") for w in windows) + CHIPS


def _low(memory: int, layout: Board, most_low: int | None) -> int:
    low = memory if memory < layout.split_from else layout.low_when_split
    return low if most_low is None else min(low, most_low)
