"""A 2.4 kernel's counters, found in a System.map and read from what QEMU's monitor says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit.errors import Failure
from hamkit.prove.globals24 import GLOBALS, NODES, Reader, Symbols

NAMES = (*GLOBALS, NODES)
MAP = "".join(f"c02{number:03x}00 B {name}\n" for number, name in enumerate(NAMES))
LAYOUT = {"node_zones": 8, "node_next": 4, "zone": 24, "zone_size": 4, "zone_free": 0, "zone_start": 8}
MARKED = LAYOUT | {"zone_marks": 12}


def system_map(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "System.map"
    path.write_text(text)
    return path


class Memory:
    """A guest's memory as QEMU's monitor shows it: words by physical address, 0 where nothing was put."""

    def __init__(self) -> None:
        self.words: dict[int, int] = {}

    def put(self, physical: int, *words: int) -> None:
        self.words.update({physical + 4 * n: word for n, word in enumerate(words)})

    def monitor(self, line: str) -> str:
        command, form, place = line.split()
        assert command == "xp"
        count = int(form.removeprefix("/").removesuffix("wx"))
        words = [self.words.get(int(place, 16) + 4 * n, 0) for n in range(count)]
        lines = [words[n : n + 4] for n in range(0, count, 4)]
        shown = (" ".join(f"0x{word:08x}" for word in four) for four in lines)
        return "".join(f"{int(place, 16):016x}: {text}\r\n" for text in shown)


@pytest.fixture
def memory() -> Memory:
    """Two nodes at 3 and 5 MiB: the first with DMA and Normal, the second with HighMem."""
    made = Memory()
    for number in range(len(GLOBALS)):
        made.put(0x200000 + number * 0x100, 40 + number)
    made.put(0x200000 + len(GLOBALS) * 0x100, 0xC0300000)
    made.put(0x300000, 0, 0xC0500000, 11, 4096, 0, 1, 2, 3, 22, 8192, 4096, 4, 5, 6)
    made.put(0x500000 + 8 + 2 * 24, 33, 512, 65536, 7, 8, 9)
    return made


def test_globals_and_zones(tmp_path: Path, memory: Memory) -> None:
    counters = Reader(Symbols.read(system_map(tmp_path, MAP), MARKED), memory.monitor).counters()
    assert counters.globals == {name: 40 + number for number, name in enumerate(GLOBALS)}
    assert [(z.node, z.name, z.start, z.size, z.free, z.marks) for z in counters.zones] == [
        (0, "DMA", 0, 4096, 11, (1, 2, 3)),
        (0, "Normal", 4096, 8192, 22, (4, 5, 6)),
        (1, "HighMem", 65536, 512, 33, (7, 8, 9)),
    ]


def test_zones_are_left_out_where_the_layout_is_not_known(tmp_path: Path, memory: Memory) -> None:
    reader = Reader(Symbols.read(system_map(tmp_path, MAP), {"page": 64}), memory.monitor)
    assert reader.counters().zones == ()


def test_a_list_of_nodes_that_does_not_end(tmp_path: Path, memory: Memory) -> None:
    memory.put(0x500004, 0xC0300000)
    reader = Reader(Symbols.read(system_map(tmp_path, MAP), LAYOUT), memory.monitor)
    with pytest.raises(Failure, match="more than"):
        reader.counters()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MAP.replace("B totalhigh_pages", "B elsewhere"), "totalhigh_pages 0 times"),
        (MAP + "c0300000 b totalram_pages\n", "totalram_pages 2 times"),
    ],
)
def test_a_map_that_does_not_tell(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=words):
        Symbols.read(system_map(tmp_path, text), LAYOUT)


def test_a_symbol_that_is_no_kernel_address(tmp_path: Path, memory: Memory) -> None:
    symbols = Symbols.read(system_map(tmp_path, MAP.replace("c0200000", "80200000")), LAYOUT)
    with pytest.raises(Failure, match="no kernel address"):
        Reader(symbols, memory.monitor).globals()


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    symbols = Symbols.read(system_map(tmp_path, MAP), LAYOUT)
    with pytest.raises(Failure, match="Cannot access memory"):
        Reader(symbols, lambda _: "Cannot access memory").globals()
