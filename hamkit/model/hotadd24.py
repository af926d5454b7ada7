"""The VM of Linux 2.4 on i386 with the hot-add series: regions on top of what booted.

Rules, with their source (S: the seed; P: patches/README.md):

* A region has a node of its own with one zone, HighMem; its node goes to the end of the list of nodes,
  its zone behind the last HighMem zone of the boot node's zonelists (S 2.2, P "Allocator").
* A region's ``struct page``s and tables (bitmaps, wait table) lie in its own first pages; only its
  descriptor is allocated (S 2.2.1). In the window a ``struct page`` has its place by frame number, tables
  follow one another in the order of the adding; a page of the window that is backed, by boot's map or by
  another region, is not backed again. Boot's map ends at a whole block (P "Window", "Boot").
* ``num_physpages`` grows by the region; ``totalram_pages`` and ``totalhigh_pages`` by its pages less
  those of its metadata; ``numnodes`` by one; ``highend_pfn`` and ``max_mapnr`` to its end if that is
  higher (S 2.2.1, P).
* A request is cut down to what is missing; every missing piece is judged before one is added; the order
  of the reasons is P's table.
* Where watermarks are kept for each class, an add raises what the boot node's lower zones keep back from
  allocations for high memory: as boot would have, with that much more of it (P "Classes over nodes").
* /proc/iomem shows a region as System RAM; one that lies on both sides of 4 GiB is two lines. Of boot's
  RAM it shows no entry of the firmware's map that ends above 4 GiB (arch/i386/kernel/setup.c).

Not modelled: ENOMEM for the descriptor; RAM that is plugged in and is not in the firmware's map.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hamkit.model.extents import GIB, KIB, PAGE, TOP, Extent, covered, merged, without
from hamkit.model.firmware import ram, reserved
from hamkit.model.i386 import (
    HIGHMEM,
    NAMES,
    Bitmap,
    Booted,
    BootFacts,
    Globals,
    Kernel,
    Zone,
    boot,
    watermarks,
)
from hamkit.model.scenario import Attribute, Errno

REGIONS = 32
INTERRUPT_CONTROLLERS = Extent(0xFEC00000, 0xFEF00000)  # which no map need mention
PAGES_A_QUEUE = 256  # pages that share one wait queue
MOST_QUEUES = 4096
LONG = 4


@dataclass(frozen=True)
class Region:
    """An added piece: its node's number, its addresses, its zone, and the bytes of its tables."""

    node: int
    extent: Extent
    zone: Zone
    tables: int


@dataclass(frozen=True)
class Linux24:
    """The VM at one moment; ``regions`` in the order of their adding."""

    kernel: Kernel
    facts: BootFacts
    booted: Booted
    regions: tuple[Region, ...] = ()

    @property
    def known(self) -> tuple[Extent, ...]:
        """Whole pages of RAM that the kernel booted with, and the regions."""
        return merged((*self._boot_pages, *(r.extent for r in self.regions)))

    @property
    def unit(self) -> int:
        return self.kernel.block

    @property
    def address_end(self) -> int:
        """Up to here memory is known or can be added: HAM asks the kernel for it."""
        return max(self._reach, self.booted.max_pfn * PAGE)

    @property
    def _reach(self) -> int:
        """Where the window's reach ends, or what a page table entry can hold."""
        window = self.facts.window
        return min(window.reach, self.kernel.address_end) if window else 0

    @property
    def whole(self) -> bool:
        return True

    @property
    def counters(self) -> Globals:
        """The six globals of the seed."""
        before, zones = self.booted.counters, [r.zone for r in self.regions]
        spanned, present = sum(z.spanned for z in zones), sum(z.present for z in zones)
        end = max((z.end for z in zones), default=0)
        return Globals(
            before.num_physpages + spanned,
            before.numnodes + len(zones),
            before.totalram_pages + present,
            max(before.highend_pfn, end),
            max(before.max_mapnr, end),
            before.totalhigh_pages + present,
        )

    @property
    def meminfo(self) -> tuple[tuple[str, int], ...]:
        """Lines of /proc/meminfo, in KiB."""
        now = self.counters
        low = now.totalram_pages - now.totalhigh_pages
        lines = (("MemTotal", now.totalram_pages), ("HighTotal", now.totalhigh_pages), ("LowTotal", low))
        return tuple((name, pages * PAGE // KIB) for name, pages in lines)

    @property
    def mem_total_kib(self) -> int:
        return self.meminfo[0][1]

    @property
    def nodes(self) -> tuple[tuple[int, int, int], ...]:
        """Number, first page and pages of each node, in the order of the list of nodes."""
        added = ((r.node, r.zone.start, r.zone.spanned) for r in self.regions)
        return ((0, 0, self.booted.max_pfn), *added)

    @property
    def zones(self) -> tuple[tuple[int, Zone], ...]:
        """Each zone that spans something, with its node's number."""
        return (
            *((0, z) for z in self._boot_zones if z.spanned),
            *((r.node, r.zone) for r in self.regions),
        )

    @property
    def _boot_zones(self) -> tuple[Zone, ...]:
        """The boot node's zones; their pages never change, what lower ones keep back may."""
        if not (self.kernel.lower_ratios and self.regions):
            return self.booted.zones
        dma, normal, high = (z.spanned for z in self.booted.zones)
        high += sum(r.zone.spanned for r in self.regions)
        marks = watermarks(self.kernel, (dma, normal, high))
        lower = zip(self.booted.zones[:HIGHMEM], marks, strict=False)
        return (*(replace(z, marks=m) for z, m in lower), self.booted.zones[HIGHMEM])

    @property
    def zonelist(self) -> tuple[tuple[int, str], ...]:
        """Where an allocation that may use high memory looks, in order: node and zone."""
        high = [(n, z.name) for n, z in self.zones if z.name == NAMES[HIGHMEM]]
        low = [(0, z.name) for z in reversed(self.booted.zones[:HIGHMEM]) if z.spanned]
        return (*high, *low)

    @property
    def system_ram(self) -> tuple[Extent, ...]:
        """The System RAM of /proc/iomem."""
        lines = [e for e in self.booted.ram if e.end <= 4 * GIB]
        for region in self.regions:
            halves = (region.extent.clipped(0, 4 * GIB), region.extent.clipped(4 * GIB, TOP))
            lines += [half for half in halves if half]
        return tuple(sorted(lines))

    def refusal(self, piece: Extent, attr: Attribute) -> Errno:
        """OK, or the first reason of the table that speaks against this missing piece."""
        if not piece.aligned(self.unit):
            return Errno.EINVAL
        if piece.end > self._reach:
            return Errno.E2BIG
        if attr is Attribute.RO:
            return Errno.EROFS
        if self._taken(piece):
            return Errno.EEXIST
        if len(self.regions) >= REGIONS:
            return Errno.ENOSPC
        return Errno.OK if covered(piece, ram(self.facts.firmware)) else Errno.ENODEV

    def with_memory(self, piece: Extent) -> Linux24:
        """The VM with the piece as a region more."""
        first, pages = piece.start // PAGE, piece.size // PAGE
        metadata = self.metadata_pages(piece)
        marks = watermarks(self.kernel, (0, 0, pages))[HIGHMEM]
        zone = Zone(NAMES[HIGHMEM], first, pages, pages - metadata, metadata, marks)
        node = self.booted.counters.numnodes + len(self.regions)
        return replace(self, regions=(*self.regions, Region(node, piece, zone, self._tables(pages))))

    def usable(self, extent: Extent) -> bool:
        """A region is in use as soon as it is added."""
        return covered(extent, self.known)

    def metadata_pages(self, piece: Extent) -> int:
        """What a missing piece would pay: the pages of the window that it needs and that are not backed."""
        first, last = piece.start // PAGE, piece.end // PAGE
        missing = without(self._map_pages(first, last), self._backed)
        used = sum(r.tables for r in self.regions)
        tables = -(-(used + self._tables(last - first)) // PAGE) - -(-used // PAGE)
        return sum(e.size for e in missing) // PAGE + tables

    @property
    def _boot_pages(self) -> tuple[Extent, ...]:
        whole = [w for e in self.booted.ram if (w := e.whole_pages())]
        top = self.booted.max_pfn * PAGE
        return tuple(c for e in whole if (c := e.clipped(0, top)))

    def _taken(self, piece: Extent) -> bool:
        """By the firmware, by a device, or by boot's map, in which each frame has its struct page."""
        firmware = (r.extent for r in reserved(self.facts.firmware))
        others = (*firmware, *self.facts.resources, INTERRUPT_CONTROLLERS)
        return piece.start < self._boot_end or any(piece.overlaps(e) for e in others)

    @property
    def _boot_end(self) -> int:
        """Where boot's map of struct pages ends: a whole block."""
        return -(-self.booted.max_pfn * PAGE // self.unit) * self.unit

    @property
    def _backed(self) -> tuple[Extent, ...]:
        """Whole pages of the window that have memory behind them, as offsets from its start."""
        ends = [(0, self._boot_end // PAGE), *((r.zone.start, r.zone.end) for r in self.regions)]
        return merged(self._map_pages(first, last) for first, last in ends)

    def _map_pages(self, first: int, last: int) -> Extent:
        """The pages of the window that hold the struct pages of these frames."""
        size = self.kernel.struct_page
        return Extent(first * size // PAGE * PAGE, -(-last * size // PAGE) * PAGE)

    def _tables(self, pages: int) -> int:
        """Bytes of a zone's bitmaps, and of its wait table where zones have one."""
        orders = range(self.kernel.max_order - 1)
        bitmaps = sum(_bitmap(self.kernel.bitmap, pages, order) for order in orders)
        return bitmaps + _queues(pages) * self.kernel.wait_queue


def _bitmap(kind: Bitmap, pages: int, order: int) -> int:
    """Bytes of one order's bitmap, whole longs."""
    match kind:
        case Bitmap.BLOCKS:
            size = -(-(pages >> order) // 8)
        case Bitmap.PAIRS:
            size = -(-(pages >> (order + 1)) // 8)
        case Bitmap.INCLUSIVE | Bitmap.DOUBLED:
            size = ((pages - 1) >> (order + 4)) + 1
    return -(-size // LONG) * LONG * (2 if kind is Bitmap.DOUBLED else 1)


def _queues(pages: int) -> int:
    """Wait queues of a zone: a power of two, one for 256 pages up to 4096."""
    wanted = pages // PAGES_A_QUEUE
    return min(1 << max(wanted - 1, 0).bit_length(), MOST_QUEUES)


def booted(kernel: Kernel, facts: BootFacts, limit: int | None = None) -> Linux24:
    """The VM after a boot with ``mem=limit`` (bytes), or without that option."""
    return Linux24(kernel, facts, boot(kernel, facts, limit))
