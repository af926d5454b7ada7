"""Who looks at a 2.4 guest: pauses end once looked at; what moves tells a busy guest from a hung one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from hamkit.prove.boot24 import Observer, Visit
from hamkit.prove.globals24 import Counters, Reader, Symbols, ZoneCount24
from hamkit.prove.port import Port


class Memory:
    """A guest's zones: one, with so many free pages."""

    def __init__(self) -> None:
        self.free = 1000

    def zones(self) -> Iterator[ZoneCount24]:
        yield ZoneCount24(1, "HighMem", 65536, 2048, self.free, ())

    def counters(self) -> Counters:
        return Counters({}, tuple(self.zones()))


class Line:
    """A port with pauses to be heard."""

    files = (7,)

    def __init__(self, *pauses: list[int]) -> None:
        self._pauses, self.ended = list(pauses), 0

    def pauses(self) -> list[int]:
        return self._pauses.pop(0) if self._pauses else []

    def go_on(self) -> None:
        self.ended += 1


@pytest.fixture
def observer(tmp_path: Path) -> Observer:
    return Observer(Symbols({}, {}), tmp_path / "report.log", frozenset({2}))


def test_the_least_that_was_free_is_noted(observer: Observer) -> None:
    memory = Memory()
    reader = cast(Reader, memory)
    assert observer.sample(1, reader) is False
    assert observer.sample(2, reader) is True
    memory.free = 10
    assert observer.sample(2, reader) is True
    assert observer.sample(2, reader) is False  # nothing moved
    memory.free = 500
    assert observer.sample(2, reader) is True
    assert observer.lowest == {2: {65536: 10}}


def test_pauses_are_ended_and_the_next_step_is_looked_at(observer: Observer) -> None:
    memory, line = Memory(), Line([0], [1], [])
    visit = Visit(observer, cast(Reader, memory), cast(Port, line))
    assert visit.files == (7,)
    assert visit.look() is True
    assert visit.look() is True
    assert (line.ended, sorted(observer.counters)) == (2, [0, 1])
    memory.free = 3
    assert visit.look() is True  # step 2 is one of the busy ones
    assert observer.lowest == {2: {65536: 3}}
    assert visit.look() is False
