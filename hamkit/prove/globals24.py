"""The kernel's own counters, read from outside: guest memory at the addresses of System.map, no help asked.

Two-level or three-level page tables, lowmem is mapped at PAGE_OFFSET: a kernel symbol's physical address is
its address less that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import Failure
from hamkit.kernel.csource import ENCODING

PAGE_OFFSET = 0xC0000000
GLOBALS = (
    "num_physpages", "numnodes", "totalram_pages", "highend_pfn", "max_mapnr", "totalhigh_pages",
)  # fmt: skip
SYMBOL = re.compile(r"([0-9a-f]{8}) [A-Za-z?] (\S+)")
WORD = re.compile(r"^[0-9a-f]+: 0x([0-9a-f]{8})\s*$", re.MULTILINE)

Monitor = Callable[[str], str]


@dataclass(frozen=True)
class Symbols:
    """Where a kernel's variables are: name to physical address."""

    places: Mapping[str, int]

    @classmethod
    def read(cls, system_map: Path, names: tuple[str, ...] = GLOBALS) -> Symbols:
        """From a System.map. Raises Failure for a name that is not there, or there more than once."""
        found: dict[str, list[int]] = {name: [] for name in names}
        for line in system_map.read_text(encoding=ENCODING).splitlines():
            match = SYMBOL.fullmatch(line)
            if match and match[2] in found:
                found[match[2]].append(int(match[1], 16))
        wrong = [f"{name} {len(places)} times" for name, places in found.items() if len(places) != 1]
        if wrong:
            raise Failure(
                f"{system_map.name} has {', '.join(wrong)}",
                "without them the kernel's counters cannot be read from outside",
            )
        low = [name for name, (place,) in found.items() if place < PAGE_OFFSET]
        if low:
            raise Failure(
                f"{system_map.name}: {', '.join(low)} below {PAGE_OFFSET:#x}",
                "kernels with another PAGE_OFFSET are not supported",
            )
        return cls({name: place - PAGE_OFFSET for name, (place,) in found.items()})


def read_globals(symbols: Symbols, monitor: Monitor) -> dict[str, int]:
    """The value of each now. ``monitor`` passes a line to QEMU's monitor. Raises Failure."""
    return {name: _word(monitor(f"xp /1wx {place:#x}"), name) for name, place in symbols.places.items()}


def _word(said: str, name: str) -> int:
    match = WORD.search(said)
    if match is None:
        raise Failure(f"QEMU does not show {name}: {said.strip()!r}", "run again with --keep, see its log")
    return int(match[1], 16)
