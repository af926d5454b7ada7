"""A 2.4 kernel's counters, found in a System.map and read from what QEMU's monitor says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit.errors import Failure
from hamkit.prove.globals24 import GLOBALS, Symbols, read_globals

MAP = "".join(f"c02{number:03x}00 B {name}\n" for number, name in enumerate(GLOBALS))


def system_map(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "System.map"
    path.write_text(text)
    return path


def test_places_are_physical(tmp_path: Path) -> None:
    symbols = Symbols.read(system_map(tmp_path, f"c0100000 A _text\n{MAP}c02fff00 ? other\n"))
    assert symbols.places["num_physpages"] == 0x200000
    assert set(symbols.places) == set(GLOBALS)


def test_each_is_read_where_it_is(tmp_path: Path) -> None:
    symbols = Symbols.read(system_map(tmp_path, MAP))
    asked: list[str] = []

    def monitor(line: str) -> str:
        asked.append(line)
        return f"{symbols.places['numnodes']:016x}: 0x0000002a\r\n"

    assert read_globals(symbols, monitor)["numnodes"] == 42
    assert asked[1] == "xp /1wx 0x200100"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MAP.replace("B totalhigh_pages", "B elsewhere"), "totalhigh_pages 0 times"),
        (MAP + "c0300000 b totalram_pages\n", "totalram_pages 2 times"),
        (MAP.replace("c0200000", "80200000"), "below 0xc0000000"),
    ],
)
def test_a_map_that_does_not_tell(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(Failure, match=words):
        Symbols.read(system_map(tmp_path, text))


def test_an_answer_that_is_none(tmp_path: Path) -> None:
    symbols = Symbols.read(system_map(tmp_path, MAP))
    with pytest.raises(Failure, match="does not show num_physpages"):
        read_globals(symbols, lambda _: "Cannot access memory")
