"""HAM's list of ranges and the result of each request, whatever the kernel line.

One request is judged in this order; the first fault found is its result:

1. arguments: size 0 or a sum that does not fit 64 bits (EINVAL), an end above what the
   kernel can address (E2BIG);
2. what is System RAM already is known, whoever integrated it; a request that is wholly
   known succeeds and changes nothing;
3. every missing piece must be whole units of the VM (EINVAL), and the list must have
   room for all pieces (ENOSPC);
4. what the VM refuses, piece by piece in order of address: a read-only piece (EROFS),
   addresses that something other than RAM holds (EEXIST), no RAM behind them (ENODEV).

Faults of 1 and 3 leave the list as it was. After a refusal of 4 nothing of the request
is integrated and all of its pieces read FAILED. A FAILED range that is asked for again
gives way to what becomes of the new request: nothing is ever listed twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self, TypeVar

from hamkit.model.extents import TOP, Extent, without
from hamkit.model.scenario import Attribute, Errno

CAPACITY = 4096


class Vm(Protocol):
    """What the list needs to know of a kernel's VM; every implementation is a frozen value."""

    @property
    def known(self) -> tuple[Extent, ...]:
        """System RAM: what was there at boot and what was added."""

    @property
    def unit(self) -> int:
        """Bytes; pieces are whole units, aligned to them."""

    @property
    def address_end(self) -> int:
        """First address that the kernel cannot take."""

    @property
    def whole(self) -> bool:
        """Whether it is handed a request once, with all pieces, instead of piece by piece."""

    def refusal(self, piece: Extent, attr: Attribute) -> Errno:
        """OK, or why the VM would not take this missing piece."""

    def with_memory(self, piece: Extent) -> Self:
        """The VM after it took the piece."""

    def usable(self, extent: Extent) -> bool:
        """Whether every page of the extent is in use by the page allocator."""


V = TypeVar("V", bound=Vm)


@dataclass(frozen=True)
class Range:
    """One entry of the list. Whether one that did not fail is enabled, the VM knows."""

    extent: Extent
    attr: Attribute
    failed: bool = False


@dataclass(frozen=True)
class Ham(Generic[V]):
    """HAM and the VM below it, at one moment."""

    vm: V
    ranges: tuple[Range, ...] = ()
    faults: int = 0  # integrations to come that a test build lets the VM fail

    def add(self, start: int, size: int, attr: Attribute = Attribute.RW) -> tuple[Ham[V], Errno]:
        """What ham_hot_add() does: HAM afterwards and the result."""
        if size == 0 or start + size >= TOP:
            return self, Errno.EINVAL
        if start + size > self.vm.address_end:
            return self, Errno.E2BIG
        pieces = without(Extent(start, start + size), self.vm.known)
        if not all(p.aligned(self.vm.unit) for p in pieces):
            return self, Errno.EINVAL
        result, faults = self._first_refusal(pieces, attr)
        listed = replace(self, faults=faults)._with(pieces, attr, failed=result is not Errno.OK)
        if len(listed.ranges) > CAPACITY:
            return self, Errno.ENOSPC
        if result is not Errno.OK:
            return listed, result
        return listed._integrated(pieces), Errno.OK

    def retry(self) -> tuple[Ham[V], tuple[tuple[Extent, Errno], ...]]:
        """Every FAILED range once more, by address: HAM afterwards and the result of each.

        The retry as a whole ends with the first result that is not OK.
        """
        after, results = self, []
        for entry in (r for r in self.ranges if r.failed):
            after, result = after.add(entry.extent.start, entry.extent.size, entry.attr)
            results.append((entry.extent, result))
        return after, tuple(results)

    def status(self) -> tuple[str, ...]:
        """The lines of /proc/ham/status."""
        return tuple(f"{r.extent}  {r.attr} {self._word(r)}" for r in self.ranges)

    def _first_refusal(self, pieces: tuple[Extent, ...], attr: Attribute) -> tuple[Errno, int]:
        """Pieces are tried by address, each after those before it, until one is refused: why, and the
        faults left after it. A test build lets the hand-over to the VM fail, before a VM that takes a
        request whole has looked at it, and after the check of a piece otherwise."""
        vm, faults = self.vm, self.faults if pieces else 0
        if faults and vm.whole:
            return Errno.ENOMEM, faults - 1
        for piece in pieces:
            refusal = vm.refusal(piece, attr)
            if refusal is not Errno.OK:
                return refusal, faults
            if faults:
                return Errno.ENOMEM, faults - 1
            vm = vm.with_memory(piece)
        return Errno.OK, self.faults

    def _word(self, entry: Range) -> str:
        if entry.failed:
            return "FAILED"
        return "ENABLED" if self.vm.usable(entry.extent) else "PRESENT"

    def _with(self, pieces: tuple[Extent, ...], attr: Attribute, *, failed: bool) -> Ham[V]:
        kept = [replace(r, extent=e) for r in self.ranges for e in without(r.extent, pieces)]
        new = [Range(p, attr, failed) for p in pieces]
        return replace(self, ranges=tuple(sorted(kept + new, key=lambda r: r.extent)))

    def _integrated(self, pieces: tuple[Extent, ...]) -> Ham[V]:
        vm = self.vm
        for piece in pieces:
            vm = vm.with_memory(piece)
        return replace(self, vm=vm)
