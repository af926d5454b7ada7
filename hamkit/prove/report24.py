"""Reads what a run of a 2.4 guest left behind: its report, and the counters read from outside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hamkit.errors import Failure
from hamkit.prove.frames import BadLine, frames
from hamkit.prove.globals24 import Counters, Seen
from hamkit.prove.report import IomemLine, parse_iomem

FILES = ("/proc/meminfo", "/proc/iomem", "/proc/ham/status", "dmesg", "output")
COUNTER = re.compile(r"(\w+): +(\d+) kB")
TABLE = re.compile(r" +total: |(?:Mem|Swap): +\d+ +\d+")  # which stands above the counters
NEEDED = ("MemTotal", "MemFree", "HighTotal", "LowTotal")


@dataclass(frozen=True)
class Snapshot24:
    """The guest after one step. ``meminfo`` in KiB; ``counters`` were read from outside."""

    step: int
    rc: int
    meminfo: Mapping[str, int]
    iomem: tuple[IomemLine, ...]
    status: tuple[str, ...]
    dmesg: tuple[str, ...]
    output: tuple[str, ...]
    counters: Counters


def snapshots(report: str, seen: Seen) -> tuple[Snapshot24, ...]:
    """The steps of a run in order. Raises Failure for a report that is cut short, garbled or unread."""
    read = tuple(frames(report, FILES))
    unread = [str(frame.step) for frame in read if frame.step not in seen.counters]
    if unread:
        raise Failure(
            f"the kernel's counters were not read after step {', '.join(unread)}",
            "the guest did not pause there, run again",
        )
    return tuple(
        Snapshot24(
            frame.step,
            frame.rc,
            frame.read("/proc/meminfo", parse_meminfo),
            frame.read("/proc/iomem", parse_iomem),
            frame.lines("/proc/ham/status"),
            frame.lines("dmesg"),
            frame.lines("output"),
            seen.counters[frame.step],
        )
        for frame in read
    )


def parse_meminfo(lines: Sequence[str]) -> dict[str, int]:
    """Counters of 2.4's /proc/meminfo in KiB. Raises BadLine."""
    found: dict[str, int] = {}
    for offset, line in enumerate(lines):
        match = COUNTER.fullmatch(line)
        if match is None and not TABLE.match(line):
            raise BadLine(offset, f"not a counter: {line!r}")
        if match:
            found[match[1]] = int(match[2])
    absent = [name for name in NEEDED if name not in found]
    if absent:
        raise BadLine(len(lines), f"no {' and no '.join(absent)}")
    return found
