"""HAM's rules for ranges in plain Python: what the core is held against. Sizes in the test's own units."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from itertools import groupby

BLOCK = 16
UNIVERSE = 1 << 18
MAX_RANGES = 4096
RW, RO = 1, 0

Command = tuple[str | int, ...]


@dataclass
class Entry:
    """What a block of the arena belongs to; blocks of one entry may lie apart after a cut."""

    attr: int
    failed: bool


@dataclass
class Reference:
    """The contract's rules over single bytes and blocks, with no list and no intervals."""

    boot: set[int] = field(default_factory=set)
    holes: set[int] = field(default_factory=set)
    reserved: set[int] = field(default_factory=set)
    known: set[int] = field(default_factory=set)
    online: set[int] = field(default_factory=set)
    cells: dict[int, Entry] = field(default_factory=dict)
    auto: bool = False
    fail_after: int = 0
    fail_errno: int = 0
    undo_errno: int = 0
    whole: bool = False

    def runs(self) -> list[tuple[int, int, Entry]]:
        """The entries as they are listed: (start, end, entry), addresses in bytes."""
        found: list[tuple[int, int, Entry]] = []
        for block in sorted(self.cells):
            entry = self.cells[block]
            if found and found[-1][1] == block * BLOCK and found[-1][2] is entry:
                found[-1] = (found[-1][0], (block + 1) * BLOCK, entry)
            else:
                found.append((block * BLOCK, (block + 1) * BLOCK, entry))
        return found

    def word(self, start: int, end: int, entry: Entry) -> str:
        if entry.failed:
            return "FAILED"
        return "ENABLED" if self.online.issuperset(range(start, end)) else "PRESENT"

    def status(self) -> list[str]:
        return [
            f"{start:x}-{end - 1:x} {'rw' if entry.attr else 'ro'} {self.word(start, end, entry)}"
            for start, end, entry in self.runs()
        ]

    def missing(self, start: int, end: int) -> list[range]:
        numbered = enumerate(a for a in range(start, end) if a not in self.known)
        groups = ([a for _, a in g] for _, g in groupby(numbered, lambda pair: pair[1] - pair[0]))
        return [range(g[0], g[-1] + 1) for g in groups]

    def add(self, start: int, size: int, attr: int) -> int:
        end = start + size
        if attr & ~1 or size == 0 or end >= 1 << 64:
            return -errno.EINVAL
        if end > UNIVERSE:
            return -errno.E2BIG
        pieces = self.missing(start, end)
        if any(p.start % BLOCK or p.stop % BLOCK for p in pieces):
            return -errno.EINVAL
        for number, piece in enumerate(self.requests(pieces)):
            error = self.integrate(piece, attr)
            if error:
                self.give_up(pieces, number, attr)
                return -error
        for piece in pieces:
            self.place(piece, Entry(attr, failed=False))
        self.settle(start, end)
        return 0

    def requests(self, pieces: list[range]) -> list[range]:
        """What the VM is asked for: each piece, or from the first to the last at once."""
        return [range(pieces[0].start, pieces[-1].stop)] if self.whole and pieces else pieces

    def integrate(self, piece: range, attr: int) -> int:
        missing = set(piece) - self.known
        if not attr:
            return errno.EROFS
        if not self.reserved.isdisjoint(missing):
            return errno.EEXIST
        if not self.holes.isdisjoint(missing):
            return errno.ENODEV
        if self.fail_after:
            self.fail_after -= 1
            if not self.fail_after:
                return self.fail_errno
        self.known.update(piece)
        if self.auto or self.whole:
            self.online.update(missing)
        return 0

    def give_up(self, pieces: list[range], refused: int, attr: int) -> None:
        for number, piece in enumerate(pieces):
            stays = number < refused and self.undo_errno != 0
            if number < refused and not stays:
                self.known.difference_update(piece)
                self.online.difference_update(piece)
            self.place(piece, Entry(attr, failed=not stays))

    def place(self, piece: range, entry: Entry) -> None:
        for block in range(piece.start // BLOCK, piece.stop // BLOCK):
            self.cells[block] = entry

    def settle(self, start: int, end: int) -> None:
        for first, last, entry in self.runs():
            if entry.failed and first >= start and last <= end:
                self.place(range(first, last), Entry(entry.attr, failed=False))

    def retry(self) -> tuple[int, int, int]:
        first = tried = failed = behind = 0
        while True:
            waiting = [r for r in self.runs() if r[2].failed and r[1] > behind]
            if not waiting:
                return first, tried, failed
            start, behind, entry = waiting[0]
            tried += 1
            error = self.add(start, behind - start, entry.attr)
            failed += error != 0
            first = first or error


def obey(reference: Reference, command: Command) -> list[str]:
    """What the driver should print for one command, refusals left out."""
    name, *rest = command
    numbers = [int(n) for n in rest]
    if name == "add":
        return [f"rc {reference.add(*numbers)}"]
    if name == "retry":
        return ["rc {} {} {}".format(*reference.retry())]
    if name == "count":
        words = [line.split()[-1] for line in reference.status()]
        counts = [words.count(w) for w in ("ENABLED", "PRESENT", "FAILED")]
        return ["count " + " ".join(str(n) for n in (len(words), *counts))]
    if name == "status":
        return [*reference.status(), "."]
    change(reference, str(name), numbers)
    return []


def change(reference: Reference, name: str, numbers: list[int]) -> None:
    if name == "auto":
        reference.auto = bool(numbers[0])
    elif name == "whole":
        reference.whole = bool(numbers[0])
    elif name == "fail":
        reference.fail_after, reference.fail_errno = numbers
    elif name == "failundo":
        reference.undo_errno = numbers[0]
    elif name == "online":
        reference.online.update(range(*numbers))
    elif name == "offline":
        reference.online.difference_update(range(*numbers))
    elif name == "boot":
        reference.known.update(range(*numbers))
        reference.online.update(range(*numbers))
    else:
        {"hole": reference.holes, "reserved": reference.reserved}[name].update(range(*numbers))
