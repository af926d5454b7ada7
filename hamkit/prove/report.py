"""Reads what a run of a mainline kernel left behind: the guest's report and the console log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hamkit.errors import Failure
from hamkit.model.extents import Extent
from hamkit.model.firmware import USABLE, Entry
from hamkit.prove.frames import BadLine, Frame, frames, lines_of

FILES = ("/proc/meminfo", "/proc/zoneinfo", "/proc/iomem", "/proc/ham/status", "blocks", "dmesg", "output")
ZONE = re.compile(r"Node (\d+), zone +(\w+)")
COUNT = re.compile(r" +(?:pages )?(free|spanned|present|managed) +(\d+)| +(start_pfn): +(\d+)")
IOMEM = re.compile(r"( *)([0-9a-f]+)-([0-9a-f]+) : (.*)")
STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\] ?")
E820 = re.compile(r"BIOS-e820: \[mem 0x([0-9a-f]+)-0x([0-9a-f]+)\](?: +[\d.]+ +[KMGT]B)? +(.+)")
MEMORY = re.compile(r"Memory: (\d+)K/(\d+)K available \(.* (\d+)K reserved")
FREEING = re.compile(r"Freeing (.+) memory: (\d+)K")
ADDRESSES = re.compile(r"address sizes\s*: (\d+) bits physical, (\d+) bits virtual")
RAM_WORDS = (USABLE, "System RAM")  # kernels from 6.17 on use the second


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
    """The guest after one step. ``meminfo`` in KiB; ``dmesg`` lines without time stamps.

    ``address_bits``: physical and virtual ones of the processor; None where it was not reported, as in
    every step but 0.
    """

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
    address_bits: tuple[int, int] | None = None

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
    return tuple(_snapshot(frame) for frame in frames(text, FILES))


def parse_console(text: str) -> BootLog:
    """What the kernel said at boot. Raises Failure when the map or the counts are missing."""
    lines = lines_of(text)
    entries = parse_map(text)
    at, counts = next(((n, m) for n, line in enumerate(lines) if (m := MEMORY.search(line))), (0, None))
    if not entries or counts is None:
        missing = "firmware map (BIOS-e820 lines)" if not entries else "Memory: line"
        raise Failure(f"the console log has no {missing}", "boot with the kernel's messages on the console")
    freed = tuple((m[1], int(m[2])) for line in lines[at:] if (m := FREEING.search(line)))
    return BootLog(entries, int(counts[2]), int(counts[3]), freed)


def parse_map(text: str) -> tuple[Entry, ...]:
    """The firmware's map from its BIOS-e820 lines in a kernel log; empty when there are none."""
    return tuple(dict.fromkeys(_entry(m) for line in lines_of(text) if (m := E820.search(line))))


def _entry(match: re.Match[str]) -> Entry:
    kind = match[3].strip()
    return Entry(Extent(int(match[1], 16), int(match[2], 16) + 1), USABLE if kind in RAM_WORDS else kind)


def _snapshot(frame: Frame) -> Snapshot:
    size, policy, blocks = frame.read("blocks", _blocks)
    return Snapshot(
        frame.step,
        frame.rc,
        frame.read("/proc/meminfo", _meminfo),
        frame.read("/proc/zoneinfo", _zones),
        frame.read("/proc/iomem", parse_iomem),
        frame.lines("/proc/ham/status"),
        size,
        policy,
        blocks,
        tuple(STAMP.sub("", line) for line in frame.lines("dmesg")),
        frame.lines("output"),
        _address_bits(frame.lines("/proc/cpuinfo")),
    )


def _address_bits(lines: Sequence[str]) -> tuple[int, int] | None:
    """From /proc/cpuinfo."""
    found = next((m for line in lines if (m := ADDRESSES.fullmatch(line))), None)
    return (int(found[1]), int(found[2])) if found else None


def _meminfo(lines: Sequence[str]) -> dict[str, int]:
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


def _zones(lines: Sequence[str]) -> tuple[ZoneCount, ...]:
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


def parse_iomem(lines: Sequence[str]) -> tuple[IomemLine, ...]:
    """Lines of /proc/iomem. Raises BadLine."""
    found: list[IomemLine] = []
    for offset, line in enumerate(lines):
        match = IOMEM.fullmatch(line)
        if match is None or int(match[2], 16) > int(match[3], 16):
            raise BadLine(offset, f"not a resource: {line!r}")
        extent = Extent(int(match[2], 16), int(match[3], 16) + 1)
        found.append(IomemLine(len(match[1]) // 2, extent, match[4]))
    return tuple(found)


def _blocks(lines: Sequence[str]) -> tuple[int, str, tuple[tuple[str, str], ...]]:
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
