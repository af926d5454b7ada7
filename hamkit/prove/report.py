"""Reads what a run left behind: the guest's report and the kernel's console log.

The report's format is that of the guest's init: for each step ``@@ham begin N``, files as
``@@ham file PATH`` ... ``@@ham end``, ``@@ham rc N``, ``@@ham finish N``; ``@@ham done`` last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from hamkit.errors import Failure
from hamkit.model.extents import Extent
from hamkit.model.firmware import USABLE, Entry

MARK = "@@ham "
FILES = ("/proc/meminfo", "/proc/zoneinfo", "/proc/iomem", "/proc/ham/status", "blocks", "dmesg", "output")
ZONE = re.compile(r"Node (\d+), zone +(\w+)")
COUNT = re.compile(r" +(?:pages )?(free|spanned|present|managed) +(\d+)| +(start_pfn): +(\d+)")
IOMEM = re.compile(r"( *)([0-9a-f]+)-([0-9a-f]+) : (.*)")
STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\] ?")
E820 = re.compile(r"BIOS-e820: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\](?: +[\d.]+ +[KMGT]B)? +(.+)")
MEMORY = re.compile(r"Memory: (\d+)K/(\d+)K available \(.* (\d+)K reserved")
FREEING = re.compile(r"Freeing (.+) memory: (\d+)K")
RAM_WORDS = (USABLE, "System RAM")  # kernels from 6.17 on use the second

T = TypeVar("T")


@dataclass(frozen=True)
class ZoneCount:
    """A zone as /proc/zoneinfo has it, in pages; ``start`` is 0 for an empty zone."""

    node: int
    name: str
    start: int
    free: int
    spanned: int
    present: int
    managed: int


@dataclass(frozen=True)
class IomemLine:
    """A line of /proc/iomem; ``depth`` 0 is the top level."""

    depth: int
    extent: Extent
    name: str


@dataclass(frozen=True)
class Snapshot:
    """The guest after one step. ``meminfo`` in KiB; ``dmesg`` lines without time stamps."""

    step: int
    rc: int
    meminfo: Mapping[str, int]
    zones: tuple[ZoneCount, ...]
    iomem: tuple[IomemLine, ...]
    status: tuple[str, ...]
    block_size: int
    policy: str
    blocks: tuple[tuple[str, str], ...]
    dmesg: tuple[str, ...]
    output: tuple[str, ...]

    @property
    def system_ram(self) -> tuple[Extent, ...]:
        return tuple(line.extent for line in self.iomem if line.depth == 0 and line.name == "System RAM")


@dataclass(frozen=True)
class BootLog:
    """What the kernel printed of its memory. Sizes in KiB.

    ``present`` and ``reserved`` are the counts of its ``Memory:`` line; ``freed`` what it
    gave to the page allocator after that line.
    """

    firmware: tuple[Entry, ...]
    present: int
    reserved: int
    freed: tuple[tuple[str, int], ...]


def parse_report(text: str) -> tuple[Snapshot, ...]:
    """The snapshots of steps 0, 1, ... in order.

    Raises Failure naming step and line when the report is cut short or garbled.
    """
    return tuple(_Reader(text).snapshots())


def parse_console(text: str) -> BootLog:
    """What the kernel said at boot. Raises Failure when the map or the counts are missing."""
    lines = _lines(text)
    entries = parse_map(text)
    at, counts = next(((n, m) for n, line in enumerate(lines) if (m := MEMORY.search(line))), (0, None))
    if not entries or counts is None:
        missing = "firmware map (BIOS-e820 lines)" if not entries else "Memory: line"
        raise Failure(f"the console log has no {missing}", "boot with the kernel's messages on the console")
    freed = tuple((m[1], int(m[2])) for line in lines[at:] if (m := FREEING.search(line)))
    return BootLog(entries, int(counts[2]), int(counts[3]), freed)


def parse_map(text: str) -> tuple[Entry, ...]:
    """The firmware's map from its BIOS-e820 lines in a kernel log; empty when there are none."""
    return tuple(dict.fromkeys(_entry(m) for line in _lines(text) if (m := E820.search(line))))


def _entry(match: re.Match[str]) -> Entry:
    kind = match[3].strip()
    return Entry(Extent(int(match[1], 16), int(match[2], 16) + 1), USABLE if kind in RAM_WORDS else kind)


def _lines(text: str) -> list[str]:
    return [line.rstrip("\r") for line in text.split("\n")]


class _Reader:
    """Walks through a report's lines, remembering where it is for the error messages."""

    def __init__(self, text: str) -> None:
        self._lines = _lines(text)
        self._at = 0
        self._step: int | None = None

    def snapshots(self) -> Iterator[Snapshot]:
        number = 0
        while self._word() != "done":
            self._expect(f"begin {number}")
            self._step = number
            files = self._files()
            rc = self._integer("rc")
            snapshot = self._snapshot(number, rc, files)
            self._expect(f"finish {number}")
            yield snapshot
            number += 1
        if number == 0:
            raise self._garbled("no step before the end")

    def _files(self) -> dict[str, tuple[int, list[str]]]:
        """Each file's lines with the number of the first one."""
        files: dict[str, tuple[int, list[str]]] = {}
        while self._word() == "file":
            name = self._next().removeprefix(f"{MARK}file ")
            first, body = self._at + 1, []
            while self._peek() != f"{MARK}end":
                if self._peek().startswith(MARK):
                    raise self._garbled(f"{name} does not end before {self._peek()!r}")
                body.append(self._next())
            self._next()
            files[name] = (first, body)
        absent = [name for name in FILES if name not in files]
        if absent:
            raise self._garbled(f"no {', '.join(absent)}")
        return files

    def _snapshot(self, number: int, rc: int, files: dict[str, tuple[int, list[str]]]) -> Snapshot:
        def read(name: str, parse: Callable[[list[str]], T]) -> T:
            first, body = files[name]
            try:
                return parse(body)
            except BadLine as bad:
                raise Failure(
                    f"report, step {number}, line {first + bad.offset}: {name}: {bad.why}",
                    "the guest's second serial port was disturbed, run again",
                ) from bad

        size, policy, blocks = read("blocks", _blocks)
        return Snapshot(
            number,
            rc,
            read("/proc/meminfo", _meminfo),
            read("/proc/zoneinfo", _zones),
            read("/proc/iomem", parse_iomem),
            tuple(files["/proc/ham/status"][1]),
            size,
            policy,
            blocks,
            tuple(STAMP.sub("", line) for line in files["dmesg"][1]),
            tuple(files["output"][1]),
        )

    def _peek(self) -> str:
        last = self._at == len(self._lines) - 1  # what follows the last newline: an unfinished line
        if self._at >= len(self._lines) or (last and not self._lines[self._at].startswith(f"{MARK}done")):
            raise self._garbled("the report is cut short", "the console log tells what stopped the guest")
        return self._lines[self._at]

    def _next(self) -> str:
        line = self._peek()
        self._at += 1
        return line

    def _word(self) -> str:
        """The keyword of the mark at hand."""
        line = self._peek()
        if not line.startswith(MARK):
            raise self._garbled(f"{line!r} where a mark is due")
        return line.removeprefix(MARK).split(" ")[0]

    def _expect(self, mark: str) -> None:
        if self._peek() != f"{MARK}{mark}":
            raise self._garbled(f"{self._peek()!r} where '{MARK}{mark}' is due")
        self._next()

    def _integer(self, word: str) -> int:
        match = re.fullmatch(rf"{MARK}{word} (-?\d+)", self._peek())
        if match is None:
            raise self._garbled(f"{self._peek()!r} where '{MARK}{word} NUMBER' is due")
        self._next()
        return int(match[1])

    def _garbled(
        self, why: str, hint: str = "the guest's second serial port was disturbed, run again"
    ) -> Failure:
        where = "before the first step" if self._step is None else f"step {self._step}"
        return Failure(f"report, {where}, line {self._at + 1}: {why}", hint)


class BadLine(Exception):
    """A line of a file that is not what that file holds; ``offset`` counts from the file's first line."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset, self.why = offset, why


def _meminfo(lines: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for offset, line in enumerate(lines):
        match = re.fullmatch(r"([\w()]+): +(\d+)(?: kB)?", line)
        if match is None:
            raise BadLine(offset, f"not a counter: {line!r}")
        found[match[1]] = int(match[2])
    absent = {"MemTotal", "MemFree"} - set(found)
    if absent:
        raise BadLine(len(lines), f"no {' and no '.join(sorted(absent))}")
    return found


def _zones(lines: list[str]) -> tuple[ZoneCount, ...]:
    counts: dict[tuple[int, str], dict[str, int]] = {}
    current: dict[str, int] | None = None
    for offset, line in enumerate(lines):
        if head := ZONE.match(line):
            current = counts.setdefault((int(head[1]), head[2]), {})
        elif match := COUNT.fullmatch(line):
            if current is None:
                raise BadLine(offset, "a count before the first zone")
            current.setdefault(match[1] or match[3], int(match[2] or match[4]))
    for (_, name), found in counts.items():
        absent = {"free", "spanned", "present", "managed"} - set(found)
        if absent:
            raise BadLine(len(lines), f"zone {name} has no {', '.join(sorted(absent))}")
    if not counts:
        raise BadLine(0, "no zone")
    return tuple(
        ZoneCount(node, name, c.get("start_pfn", 0), c["free"], c["spanned"], c["present"], c["managed"])
        for (node, name), c in counts.items()
    )


def parse_iomem(lines: list[str]) -> tuple[IomemLine, ...]:
    """Lines of /proc/iomem. Raises BadLine."""
    found: list[IomemLine] = []
    for offset, line in enumerate(lines):
        match = IOMEM.fullmatch(line)
        if match is None or int(match[2], 16) > int(match[3], 16):
            raise BadLine(offset, f"not a resource: {line!r}")
        extent = Extent(int(match[2], 16), int(match[3], 16) + 1)
        found.append(IomemLine(len(match[1]) // 2, extent, match[4]))
    return tuple(found)


def _blocks(lines: list[str]) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    words = [line.split(" ") for line in lines]
    for offset, line in enumerate(words):
        if len(line) != 2:
            raise BadLine(offset, f"not a name and a value: {lines[offset]!r}")
    if len(words) < 2 or words[0][0] != "size" or words[1][0] != "policy":
        raise BadLine(0, "does not begin with size and policy")
    if not re.fullmatch(r"[0-9a-f]+", words[0][1]):
        raise BadLine(0, f"not a size in hexadecimal: {words[0][1]!r}")
    for offset, (name, _) in enumerate(words[2:], 2):
        if not re.fullmatch(r"memory\d+", name):
            raise BadLine(offset, f"not a memory block: {name!r}")
    blocks = sorted(((n, s) for n, s in words[2:]), key=lambda b: int(b[0].removeprefix("memory")))
    return int(words[0][1], 16), words[1][1], tuple(blocks)
