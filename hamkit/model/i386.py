"""What Linux 2.4 on i386 makes of a machine's memory at boot, before anything is added.

Rules, with their source in the stock kernel:

* The firmware's map says where RAM is. ``mem=`` (arch/i386/kernel/setup.c) either replaces the map by
  0-636K and 1M-mem (to 2.4.18) or cuts it there (from 2.4.19). The kernel counts whole pages only.
* The highest page of RAM, ``max_pfn``, ends the one node. NOHIGHMEM ends at lowmem, HIGHMEM4G at 4 GiB.
* Lowmem is what lies below the kernel's direct map of 896 MiB, less the window that hot-add reserves
  and the gap of one page directory entry (2 MiB with PAE, 4 MiB without) in front of it.
* Zones (mm/page_alloc.c, arch/i386/mm/init.c): DMA to 16 MiB, Normal to the end of lowmem, HighMem to
  ``max_pfn``. A zone spans holes; present are the pages of RAM in it.
  RHEL 3 sizes DMA by the memory there is: a share of ``max_pfn`` in blocks of 2^MAX_ORDER pages.
* Watermarks: a zone's pages by its class's ratio, held between a least and a most value, times 1, 2, 3.
  Kernels from 2.4.23 on have one set a class: a lower zone keeps more back from a higher class. Red Hat's
  add what is kept free by the pages of the node (zone_extrafree_*), and hold only the first to the most.
* ``num_physpages``, ``max_mapnr`` and ``highend_pfn`` are ``max_pfn``; ``totalram_pages`` is the RAM less
  what the ``Memory:`` line calls reserved, plus what was freed after it; ``totalhigh_pages`` is the RAM
  of HighMem, all of it free.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from hamkit.model.extents import GIB, KIB, MIB, PAGE, TOP, Extent, merged
from hamkit.model.firmware import USABLE, Entry

DIRECT_MAP = 896 * MIB  # of the kernel's gigabyte; the rest is for vmalloc, kmap and fixed maps
DMA_END = 16 * MIB
LOW_RAM = Extent(0, 0x9F000)  # what a replaced map has below 1 MiB
NAMES = ("DMA", "Normal", "HighMem")
DMA, NORMAL, HIGHMEM = range(3)
PER_CPU_SHARE = 128  # of a zone's pages, in free_area_init_core() of kernels with lists of processors
BITS_36 = 36  # a Pentium III
OPTION = re.compile(r"(?=\w{1,9}[KMGkmg]?$)(0x[0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)([KMGkmg]?)")
MOST_OPTION = 4096  # MiB, the most that a number of GiB is taken for


class Highmem(StrEnum):
    """CONFIG_NOHIGHMEM, CONFIG_HIGHMEM4G, CONFIG_HIGHMEM64G (which is PAE)."""

    NONE = "none"
    G4 = "4G"
    G64 = "64G"


class MemOption(StrEnum):
    """What ``mem=`` does to the firmware's map."""

    REPLACE = "replace"
    LIMIT = "limit"


class Bitmap(StrEnum):
    """How free_area_init_core() measures the bitmap of an order: a bit for each block of it (to 2.4.4), or
    for each pair of blocks (to 2.4.7), and room for the last one whatever the size (from 2.4.8), or twice
    that (kernels with rmap)."""

    BLOCKS = "blocks"
    PAIRS = "pairs"
    INCLUSIVE = "inclusive"
    DOUBLED = "doubled"


@dataclass(frozen=True)
class Marks:
    """pages_min, pages_low, pages_high."""

    least: int
    low: int
    high: int

    def plus(self, pages: int) -> Marks:
        return Marks(self.least + pages, self.low + pages, self.high + pages)


@dataclass(frozen=True)
class ExtraFree:
    """What Red Hat's kernels keep free besides, a number for each class: zone_extrafree_ratio and
    zone_extrafree_max (in pages); zone_balance_min and zone_balance_max, which differ by class there."""

    ratios: tuple[int, int, int]
    limits: tuple[int, int, int]
    least: tuple[int, int, int]
    most: tuple[int, int, int]

    def marks(self, zone: int, wanted: int, node: int) -> Marks:
        """For a zone that asks for ``wanted`` pages by its own size, of a node of ``node`` pages."""
        ratio, most = self.ratios[zone], self.most[zone]
        extra = min(node // ratio, self.limits[zone]) if ratio else 0
        extra = extra if extra >= most else 0
        wanted = max(wanted, self.least[zone])
        return Marks(min(wanted, most), 2 * wanted, 3 * wanted).plus(extra)


@dataclass(frozen=True)
class Kernel:
    """A kernel build: its configuration, and what was probed of its tree. ``reserve`` in MiB.

    ``hotadd`` is the boot option of that name as it is typed, None when it is not given. ``ratios`` are
    zone_balance_ratio, ``lower_ratios`` lower_zone_reserve_ratio (empty: watermarks are plain fields).
    ``wait_queue`` is sizeof(wait_queue_head_t) where zones have wait tables, else 0. ``dma_share``: DMA is
    ``max_pfn`` by it, at least ``dma_least`` pages; 0 where it is all below 16 MiB. ``per_cpu_pages``: the
    most free pages of a zone that a processor keeps to itself (MAX_PER_CPU_PAGES), 0 without such lists.
    """

    highmem: Highmem = Highmem.G64
    reserve: int = 128
    hotadd: str | None = None
    struct_page: int = 64
    mem_option: MemOption = MemOption.REPLACE
    max_order: int = 10
    ratios: tuple[int, int, int] = (32, 128, 128)
    least: int = 20
    most: int = 255
    lower_ratios: tuple[int, ...] = ()
    wait_queue: int = 0
    bitmap: Bitmap = Bitmap.INCLUSIVE
    address_bits: int = BITS_36
    extra_free: ExtraFree | None = None
    dma_share: int = 0
    dma_least: int = 0
    per_cpu_pages: int = 0

    @property
    def asked(self) -> int:
        """The window that is asked for, in MiB: by the boot option, which has K, M (the unit without one) or
        G behind a number of at most nine digits and is rounded up; else by the configuration."""
        match = OPTION.fullmatch(self.hotadd or "")
        if match is None:
            return self.reserve
        base = 16 if match[1].startswith("0x") else 8 if match[1].startswith("0") else 10
        number = int(match[1], base)
        match match[2].upper():
            case "K":
                return -(-number // 1024)
            case "G":
                return min(number * 1024, MOST_OPTION)
            case _:
                return number

    @property
    def block(self) -> int:
        """Bytes of the largest free block, to which added memory is aligned."""
        return PAGE << (self.max_order - 1)

    def kept_by_processors(self, pages: int, cpus: int) -> int:
        """The most free pages of a zone of ``pages`` that it does not count: on lists of processors."""
        return cpus * min(pages // cpus // PER_CPU_SHARE or 1, self.per_cpu_pages)

    def dma_end(self, pages: int) -> int:
        """First physical address behind DMA, with memory that ends at page ``pages``."""
        if not self.dma_share:
            return DMA_END
        share = pages // self.dma_share >> self.max_order << self.max_order
        return max(min(share, DMA_END // PAGE), self.dma_least) * PAGE

    @property
    def gap(self) -> int:
        """Bytes that one page directory entry maps."""
        return 2 * MIB if self.highmem is Highmem.G64 else 4 * MIB

    @property
    def address_end(self) -> int:
        """First physical address that the processor, or a page table entry, cannot hold."""
        return 1 << self.address_bits if self.highmem is Highmem.G64 else 4 * GIB


@dataclass(frozen=True)
class Window:
    """Kernel addresses reserved for struct pages, as the kernel prints them, and the first physical
    address that they do not reach."""

    addresses: Extent
    reach: int


@dataclass(frozen=True)
class BootFacts:
    """What the kernel printed at boot; nothing else is taken from it. KiB where a name says so.

    ``reserved_kib`` is of the ``Memory:`` line, ``freed_kib`` the sum of what was freed later.
    ``low_pages`` is the sum of the first two ``zone`` lines, 0 when unknown; it is only used where the
    kernel has no window and yet reserved one. ``resources`` are other top-level lines of /proc/iomem.
    """

    firmware: tuple[Entry, ...]
    window: Window | None = None
    reserved_kib: int = 0
    freed_kib: int = 0
    low_pages: int = 0
    resources: tuple[Extent, ...] = ()
    measured: bool = False


@dataclass(frozen=True)
class Zone:
    """A zone of one node. Everything in pages. ``spanned`` = ``present`` + ``metadata`` + ``holes``.

    ``marks`` has the watermarks of each class from the zone's own up; of the own class only where the
    kernel has plain fields; empty for an empty zone.
    """

    name: str
    start: int = 0
    spanned: int = 0
    present: int = 0
    metadata: int = 0
    marks: tuple[Marks, ...] = ()

    @property
    def end(self) -> int:
        return self.start + self.spanned

    @property
    def holes(self) -> int:
        return self.spanned - self.present - self.metadata


@dataclass(frozen=True)
class Globals:
    """The six variables that hot-add keeps, in pages but for ``numnodes``."""

    num_physpages: int
    numnodes: int
    totalram_pages: int
    highend_pfn: int
    max_mapnr: int
    totalhigh_pages: int


@dataclass(frozen=True)
class Booted:
    """The VM after boot. ``ram`` to the byte, one extent for each entry of the map that the kernel uses."""

    ram: tuple[Extent, ...]
    zones: tuple[Zone, Zone, Zone]
    counters: Globals

    @property
    def max_pfn(self) -> int:
        return self.counters.max_mapnr


def boot(kernel: Kernel, facts: BootFacts, limit: int | None = None) -> Booted:
    """The VM after a boot with ``mem=limit`` (bytes), or without that option."""
    ram = boot_ram(facts.firmware, kernel.mem_option, limit)
    pages = [w for e in ram if (w := e.whole_pages())]
    top = min(max((e.end for e in pages), default=0), _top(kernel, facts))
    low = min(top, low_limit(kernel, facts))
    ends = (min(low, kernel.dma_end(top // PAGE)), low, top)
    zones = _zones(kernel, pages, ends)
    low_ram = sum(z.present for z in zones[:HIGHMEM])
    high_ram = zones[HIGHMEM].present
    free = low_ram + (facts.freed_kib - facts.reserved_kib) * KIB // PAGE + high_ram
    last = top // PAGE
    return Booted(ram, zones, Globals(last, 1, free, last, last, high_ram))


def boot_ram(entries: tuple[Entry, ...], option: MemOption, limit: int | None) -> tuple[Extent, ...]:
    """The map's RAM as the kernel goes by it, to the byte."""
    found = sorted(e.extent for e in entries if e.kind == USABLE)
    if limit is None:
        return tuple(found)
    if option is MemOption.REPLACE:
        return (LOW_RAM, Extent(MIB, limit)) if limit > MIB else (LOW_RAM,)
    return tuple(c for e in found if (c := e.clipped(0, limit)))


def low_limit(kernel: Kernel, facts: BootFacts) -> int:
    """First physical address that lowmem cannot hold."""
    if facts.window:
        return DIRECT_MAP - facts.window.addresses.size - kernel.gap
    return facts.low_pages * PAGE or DIRECT_MAP


def _top(kernel: Kernel, facts: BootFacts) -> int:
    match kernel.highmem:
        case Highmem.NONE:
            return low_limit(kernel, facts)
        case Highmem.G4:
            return 4 * GIB
        case Highmem.G64:
            return TOP


def _zones(kernel: Kernel, ram: list[Extent], ends: tuple[int, int, int]) -> tuple[Zone, Zone, Zone]:
    starts = (0, *ends[:HIGHMEM])
    empty = [Zone(name, a // PAGE, (b - a) // PAGE) for name, a, b in zip(NAMES, starts, ends, strict=True)]
    present = [sum(_size(e, a, b) for e in merged(ram)) // PAGE for a, b in zip(starts, ends, strict=True)]
    marks = watermarks(kernel, tuple(z.spanned for z in empty))
    filled = [
        Zone(z.name, z.start if z.spanned else 0, z.spanned, p, 0, m)
        for z, p, m in zip(empty, present, marks, strict=True)
    ]
    return filled[DMA], filled[NORMAL], filled[HIGHMEM]


def _size(extent: Extent, start: int, end: int) -> int:
    part = extent.clipped(start, end)
    return part.size if part else 0


def watermarks(kernel: Kernel, sizes: tuple[int, ...]) -> tuple[tuple[Marks, ...], ...]:
    """Each zone's watermarks from its size in pages, zones of one node from DMA up.

    With classes, what a lower zone keeps back from class ``c`` grows with all zones above it up to
    ``c``: their pages by the lower zone's ratio, rounded down.
    """
    own = [_own_marks(kernel, c, size, sum(sizes)) for c, size in enumerate(sizes)]
    if not kernel.lower_ratios:
        return tuple((m,) if m else () for m in own)
    return tuple(
        tuple(
            mark.plus(sum(sizes[zone + 1 : c + 1]) // kernel.lower_ratios[zone]) if c > zone else mark
            for c in range(zone, len(sizes))
            if sizes[c] or c == zone
        )
        if mark
        else ()
        for zone, mark in enumerate(own)
    )


def _own_marks(kernel: Kernel, zone: int, size: int, node: int) -> Marks | None:
    if not size:
        return None
    if kernel.extra_free:
        return kernel.extra_free.marks(zone, size // kernel.ratios[zone], node)
    pages = max(kernel.least, min(size // kernel.ratios[zone], kernel.most))
    return Marks(pages, 2 * pages, 3 * pages)
