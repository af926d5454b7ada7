"""The firmware's memory map (E820) and what an x86-64 kernel makes of it at boot.

Sources: the kernel's ``mem=`` documentation (admin-guide/kernel-parameters), the E820
chapter of the ACPI specification, and the kernel's own printed maps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hamkit.model.extents import KIB, MIB, PAGE, Extent, merged, without

USABLE = "usable"
RESERVED = "reserved"
BIOS_HOLE = Extent(640 * KIB, MIB)  # video memory and ROMs: never RAM to the kernel
FIRST_PAGE = Extent(0, PAGE)  # the BIOS keeps its data there


@dataclass(frozen=True, order=True)
class Entry:
    """One E820 entry: addresses and the kernel's word for its type (``usable``: RAM)."""

    extent: Extent
    kind: str


@dataclass(frozen=True)
class Resource:
    """A line of /proc/iomem that stands at its top level, other than System RAM."""

    extent: Extent
    name: str


def ram(entries: Iterable[Entry]) -> tuple[Extent, ...]:
    """Where the machine has RAM, told to the kernel or not; touching entries become one."""
    return merged(e.extent for e in entries if e.kind == USABLE)


def boot_ram(entries: Iterable[Entry], boot_memory: int) -> tuple[Extent, ...]:
    """The System RAM of /proc/iomem after boot with ``mem=boot_memory``, to the byte.

    ``mem=`` takes away the RAM entries' addresses from ``boot_memory`` up and touches no
    other entry: it limits addresses, not amounts. Then page 0 and 640K-1M cease to be RAM.
    """
    kept = [e.clipped(0, boot_memory) for e in ram(entries)]
    return tuple(p for e in kept if e for p in without(e, (FIRST_PAGE, BIOS_HOLE)))


def boot_pages(entries: Iterable[Entry], boot_memory: int) -> tuple[Extent, ...]:
    """The same as whole pages: what the boot allocator manages and the zones count as present."""
    whole = [e.whole_pages() for e in boot_ram(entries, boot_memory)]
    return tuple(e for e in whole if e)


def reserved(entries: Iterable[Entry]) -> tuple[Resource, ...]:
    """What the map itself keeps from being added: every entry that is not RAM."""
    return tuple(Resource(e.extent, e.kind) for e in sorted(entries) if e.kind != USABLE)
