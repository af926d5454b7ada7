"""The kernel's own counters, read from outside: guest memory at the addresses of System.map, no help asked.

Lowmem is mapped at PAGE_OFFSET, with two-level page tables and with three: the physical address of a kernel
variable, or of what ``kmalloc`` gave, is its virtual address less that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hamkit.errors import Failure
from hamkit.kernel.csource import ENCODING

PAGE_OFFSET = 0xC0000000
WORD = 4  # bytes
GLOBALS = (
    "num_physpages", "numnodes", "totalram_pages", "highend_pfn", "max_mapnr", "totalhigh_pages",
)  # fmt: skip
NODES = "pgdat_list"
ZONES = ("DMA", "Normal", "HighMem")  # of a node, in this order
MARKS = 3 * len(ZONES)  # words from the first watermark on: three, or three a class of zones
MOST_NODES = 64
SYMBOL = re.compile(r"([0-9a-f]{8}) [A-Za-z?] (\S+)")
SHOWN = re.compile(r"^[0-9a-f]+:((?: 0x[0-9a-f]{8})+)\s*$", re.MULTILINE)

Monitor = Callable[[str], str]


@dataclass(frozen=True)
class ZoneCount24:
    """A zone that spans something, in pages. ``node`` counts from the head of the list of nodes; ``marks``:
    MARKS words from pages_min on; a kernel whose watermarks have no classes keeps something else behind
    the first three."""

    node: int
    name: str
    start: int
    size: int
    free: int
    marks: tuple[int, ...]


@dataclass(frozen=True)
class Counters:
    """The globals by name (pages, but for numnodes), and all zones, at one moment."""

    globals: Mapping[str, int]
    zones: tuple[ZoneCount24, ...]


@dataclass(frozen=True)
class Seen:
    """What was read of a run: the counters after each step, and the least that was free during one, in
    pages by a zone's first page."""

    counters: Mapping[int, Counters]
    lowest: Mapping[int, Mapping[int, int]]

    def facts(self) -> dict[str, Any]:
        """As JSON types."""
        after = {str(step): asdict(counters) for step, counters in self.counters.items()}
        return {"counters": after, "lowest": {str(step): dict(low) for step, low in self.lowest.items()}}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Seen:
        """From what ``facts`` gave, perhaps by way of a file. Raises KeyError, TypeError, ValueError."""
        counters = {
            int(step): Counters(
                now["globals"],
                tuple(ZoneCount24(**zone | {"marks": tuple(zone["marks"])}) for zone in now["zones"]),
            )
            for step, now in facts["counters"].items()
        }
        lowest = {
            int(step): {int(start): free for start, free in low.items()}
            for step, low in facts["lowest"].items()
        }
        return cls(counters, lowest)


NOTHING = Seen({}, {})


@dataclass(frozen=True)
class Symbols:
    """Where a kernel's variables are (name to virtual address), and how its structures are laid out (see
    ``Kernel.layout``)."""

    places: Mapping[str, int]
    layout: Mapping[str, int]

    @classmethod
    def read(cls, system_map: Path, layout: Mapping[str, int]) -> Symbols:
        """From a System.map. Raises Failure for a name that is not there, or there more than once."""
        found: dict[str, list[int]] = {name: [] for name in (*GLOBALS, NODES)}
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
        return cls({name: place for name, (place,) in found.items()}, layout)


class Reader:
    """Reads a running guest's memory. ``monitor`` passes a line to QEMU's monitor."""

    def __init__(self, symbols: Symbols, monitor: Monitor) -> None:
        self._symbols, self._monitor = symbols, monitor

    def counters(self) -> Counters:
        """Everything now. Raises Failure when memory does not hold what it must."""
        return Counters(self.globals(), tuple(self.zones()))

    def globals(self) -> dict[str, int]:
        return {name: self._words(self._symbols.places[name], 1)[0] for name in GLOBALS}

    def zones(self) -> Iterator[ZoneCount24]:
        """Every zone that spans something, node by node. Empty when the kernel's layout is not known."""
        layout = self._symbols.layout
        if not {"node_zones", "node_next", "zone", "zone_size", "zone_free", "zone_start"} <= set(layout):
            return
        node = self._words(self._symbols.places[NODES], 1)[0]
        first, zone_words, following = (layout[n] // WORD for n in ("node_zones", "zone", "node_next"))
        words = max(
            first + len(ZONES) * zone_words, following + 1
        )  # a question costs more than what it asks for
        for number in range(MOST_NODES):
            if not node:
                return
            seen = self._words(node, words)
            for index, name in enumerate(ZONES):
                start = first + index * zone_words
                zone = self._zone(number, name, seen[start : start + zone_words])
                if zone.size:
                    yield zone
            node = seen[following]
        raise Failure(
            f"the kernel's list of nodes has more than {MOST_NODES}", "its layout was not understood"
        )

    def _zone(self, node: int, name: str, words: tuple[int, ...]) -> ZoneCount24:
        at = {field: self._symbols.layout[f"zone_{field}"] // WORD for field in ("start", "size", "free")}
        marks = self._symbols.layout.get("zone_marks")
        first = marks // WORD if marks is not None else 0
        return ZoneCount24(
            node,
            name,
            words[at["start"]],
            words[at["size"]],
            words[at["free"]],
            words[first : first + MARKS] if marks is not None else (),
        )

    def _words(self, virtual: int, count: int) -> tuple[int, ...]:
        if virtual < PAGE_OFFSET:
            raise Failure(
                f"{virtual:#x} is no kernel address", "kernels with another PAGE_OFFSET are not known"
            )
        said = self._monitor(f"xp /{count}wx {virtual - PAGE_OFFSET:#x}")
        words = tuple(
            int(word, 16) for line in SHOWN.findall(said.replace("\r", "")) for word in line.split()
        )
        if len(words) != count:
            raise Failure(
                f"QEMU shows {said.strip()[:80]!r} at {virtual:#x}", "run again with --keep, see its log"
            )
        return words
