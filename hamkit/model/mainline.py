"""The VM of x86-64 kernels 5.10 to 7.x: zones, memory blocks, MemTotal, System RAM.

Rules, with their source in the kernel's documentation:

* Zones at boot (mm/physical_memory): DMA below 16 MiB, DMA32 below 4 GiB, Normal above;
  each spans its part between the first and the last page of RAM, holes included. Present
  are the pages of RAM, managed those that the boot allocator handed to the page allocator.
* Memory comes in blocks (admin-guide/mm/memory-hotplug): adding makes blocks that are
  offline, or onlined at once when the ``auto_online_blocks`` policy says so. An added
  range is its own System RAM line.
* Onlining a block puts it into a zone (same document, "Zone imbalances" and the zones
  of ``valid_zones``): the first kernel zone whose span it touches, otherwise Normal, even below
  4 GiB; the Movable zone when only that one spans it, or when the policy says so. The
  zone's span grows to hold it, and all its pages become present and managed.
* Each page costs 64 bytes of memory map, taken from free memory when the range is
  added: MemFree pays for it, MemTotal (all managed pages) does not.

Not modelled: running out of memory for the memory map, more than one node, removal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from hamkit.model.extents import GIB, KIB, MIB, PAGE, TOP, Extent, covered, merged
from hamkit.model.firmware import Entry, Resource, boot_pages, boot_ram, ram, reserved
from hamkit.model.scenario import Attribute, Errno

STRUCT_PAGE = 64  # bytes of memory map a page
DEFAULT_BLOCK = 128 * MIB
DEFAULT_ADDRESS_BITS = 40  # QEMU's software emulation
KERNEL_ADDRESS_BITS = {48: 46, 57: 52}  # MAX_PHYSMEM_BITS by the processor's virtual address bits
KERNEL_ZONES = (("DMA", 0, 16 * MIB), ("DMA32", 16 * MIB, 4 * GIB), ("Normal", 4 * GIB, TOP))
NORMAL = 2
MOVABLE = 3


class Policy(StrEnum):
    """What happens to a block when it is added (``auto_online_blocks``)."""

    OFFLINE = "offline"
    ONLINE = "online"
    ONLINE_KERNEL = "online_kernel"
    ONLINE_MOVABLE = "online_movable"


def address_end(physical_bits: int, virtual_bits: int) -> int:
    """First address that a processor, or a kernel with its page tables, cannot address."""
    return 1 << min(physical_bits, KERNEL_ADDRESS_BITS.get(virtual_bits, physical_bits))


@dataclass(frozen=True)
class BootFacts:
    """What cannot be derived and is read off the booted kernel.

    ``managed`` has pages by zone name; empty without a boot: then MemTotal is taken as
    if nothing were reserved, and only its changes mean anything. ``resources`` are the
    top-level lines of /proc/iomem other than System RAM. Sizes and addresses in bytes.
    """

    firmware: tuple[Entry, ...]
    managed: tuple[tuple[str, int], ...] = ()
    resources: tuple[Resource, ...] = ()
    block_size: int = DEFAULT_BLOCK
    policy: Policy = Policy.OFFLINE
    address_end: int = 1 << DEFAULT_ADDRESS_BITS

    @property
    def measured(self) -> bool:
        return bool(self.managed)


@dataclass(frozen=True)
class Zone:
    """A zone of node 0. Everything in pages; ``start`` is meaningless while nothing is spanned."""

    name: str
    start: int = 0
    spanned: int = 0
    present: int = 0
    managed: int = 0

    @property
    def end(self) -> int:
        return self.start + self.spanned

    def touches(self, first: int, last: int) -> bool:
        """Whether the span holds any of the pages ``first`` up to and without ``last``."""
        return self.spanned > 0 and self.start < last and first < self.end

    def grown(self, first: int, last: int) -> Zone:
        """With these pages online: the span reaches them, and all of them are managed."""
        start = min(self.start, first) if self.spanned else first
        end = max(self.end, last) if self.spanned else last
        pages = last - first
        return Zone(self.name, start, end - start, self.present + pages, self.managed + pages)


@dataclass(frozen=True)
class Mainline:
    """The VM at one moment. ``blocks``: each block's number and whether it is online, sorted."""

    facts: BootFacts
    system_ram: tuple[Extent, ...]
    zones: tuple[Zone, ...]
    blocks: tuple[tuple[int, bool], ...]
    added_pages: int = 0

    @property
    def known(self) -> tuple[Extent, ...]:
        return merged(self.system_ram)

    @property
    def unit(self) -> int:
        return self.facts.block_size

    @property
    def address_end(self) -> int:
        return self.facts.address_end

    @property
    def whole(self) -> bool:
        return False

    @property
    def mem_total_kib(self) -> int:
        """MemTotal of /proc/meminfo."""
        return sum(z.managed for z in self.zones) * PAGE // KIB

    @property
    def vmemmap_kib(self) -> int:
        """What the memory map of all added pages took from free memory."""
        return self.added_pages * STRUCT_PAGE // KIB

    def refusal(self, piece: Extent, attr: Attribute) -> Errno:
        """Read-only memory has no place in the VM; then what /proc/iomem holds; then the probe for RAM."""
        if attr is Attribute.RO:
            return Errno.EROFS
        taken = (*self.facts.resources, *reserved(self.facts.firmware))
        if any(r.extent.overlaps(piece) for r in taken):
            return Errno.EEXIST
        return Errno.OK if covered(piece, ram(self.facts.firmware)) else Errno.ENODEV

    def with_memory(self, piece: Extent) -> Mainline:
        """After add_memory(): new blocks, online when the policy says so."""
        numbers = range(piece.start // self.unit, piece.end // self.unit)
        after = replace(
            self,
            system_ram=tuple(sorted((*self.system_ram, piece))),
            blocks=tuple(sorted((*self.blocks, *((n, False) for n in numbers)))),
            added_pages=self.added_pages + piece.size // PAGE,
        )
        return after if self.facts.policy is Policy.OFFLINE else after.online(self.facts.policy)

    def online(self, how: Policy = Policy.ONLINE) -> Mainline:
        """After every block that was offline came online, in order of address."""
        zones, pages = self.zones, self.unit // PAGE
        for number in (n for n, online in self.blocks if not online):
            zones = onlined(zones, number * pages, (number + 1) * pages, how)
        return replace(self, zones=zones, blocks=tuple((n, True) for n, _ in self.blocks))

    def usable(self, extent: Extent) -> bool:
        numbers = range(extent.start // self.unit, -(-extent.end // self.unit))
        states = dict(self.blocks)
        return all(states.get(n, False) for n in numbers)


def onlined(zones: tuple[Zone, ...], first: int, last: int, how: Policy) -> tuple[Zone, ...]:
    """The zones after the pages ``first`` up to and without ``last`` came online."""
    chosen = zone_for(zones, first, last, how)
    return tuple(z.grown(first, last) if i == chosen else z for i, z in enumerate(zones))


def zone_for(zones: tuple[Zone, ...], first: int, last: int, how: Policy) -> int:
    """Position of the zone that pages go to when onlined; ``zones`` as in ``Mainline.zones``."""
    if how is Policy.ONLINE_MOVABLE:
        return MOVABLE
    touched = [i for i, z in enumerate(zones) if z.touches(first, last)]
    kernel = next((i for i in touched if i != MOVABLE), None)
    if kernel is None and MOVABLE in touched and how is not Policy.ONLINE_KERNEL:
        return MOVABLE
    return NORMAL if kernel is None else kernel


def boot(facts: BootFacts, boot_memory: int) -> Mainline:
    """The VM after boot with ``mem=boot_memory`` (bytes)."""
    pages = boot_pages(facts.firmware, boot_memory)
    measured = dict(facts.managed)
    zones = tuple(_boot_zone(name, low, high, pages, measured) for name, low, high in KERNEL_ZONES)
    touched = {n for e in pages for n in range(e.start // facts.block_size, -(-e.end // facts.block_size))}
    return Mainline(
        facts,
        boot_ram(facts.firmware, boot_memory),
        (*zones, Zone("Movable")),
        tuple((n, True) for n in sorted(touched)),
    )


def _boot_zone(name: str, low: int, high: int, pages: tuple[Extent, ...], measured: dict[str, int]) -> Zone:
    span = Extent(pages[0].start, pages[-1].end).clipped(low, high) if pages else None
    if span is None:
        return Zone(name)
    parts = [p for e in pages if (p := e.clipped(low, high))]
    present = sum(p.size for p in parts) // PAGE
    managed = measured.get(name, 0) if measured else present
    return Zone(name, span.start // PAGE, span.size // PAGE, present, managed)
