"""Address ranges and their arithmetic, in bytes unless a name says pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PAGE = 4096
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TOP = 1 << 64  # first address that 64 bits cannot hold


@dataclass(frozen=True, order=True)
class Extent:
    """The addresses ``start`` up to and without ``end``; never empty."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= TOP:
            raise ValueError(f"not a range of 64-bit addresses: {self.start:#x} to {self.end:#x}")

    def __str__(self) -> str:
        """As the kernel and HAM write it: 16 hex digits each, the end inclusive."""
        return f"{self.start:016x}-{self.end - 1:016x}"

    @property
    def size(self) -> int:
        return self.end - self.start

    def overlaps(self, other: Extent) -> bool:
        return self.start < other.end and other.start < self.end

    def clipped(self, start: int, end: int) -> Extent | None:
        """What lies between two addresses; None when nothing does."""
        low, high = max(self.start, start), min(self.end, end)
        return Extent(low, high) if low < high else None

    def whole_pages(self) -> Extent | None:
        """Without the pages that are only partly inside; None when no page is whole."""
        low, high = -(-self.start // PAGE) * PAGE, self.end // PAGE * PAGE
        return Extent(low, high) if low < high else None

    def aligned(self, unit: int) -> bool:
        return self.start % unit == 0 and self.end % unit == 0


def merged(extents: Iterable[Extent]) -> tuple[Extent, ...]:
    """The same addresses as sorted extents that neither overlap nor touch."""
    result: list[Extent] = []
    for extent in sorted(extents):
        if result and extent.start <= result[-1].end:
            result[-1] = Extent(result[-1].start, max(result[-1].end, extent.end))
        else:
            result.append(extent)
    return tuple(result)


def without(whole: Extent, holes: Iterable[Extent]) -> tuple[Extent, ...]:
    """The parts of ``whole`` that no hole covers, sorted."""
    parts: list[Extent] = []
    start = whole.start
    for hole in merged(holes):
        if not hole.overlaps(whole):
            continue
        if start < hole.start:
            parts.append(Extent(start, hole.start))
        start = max(start, hole.end)
    if start < whole.end:
        parts.append(Extent(start, whole.end))
    return tuple(parts)


def covered(whole: Extent, by: Iterable[Extent]) -> bool:
    """Whether every address of ``whole`` lies in one of the extents."""
    return not without(whole, by)
