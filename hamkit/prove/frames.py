"""Reads the frames of the guest's report: what every kernel line's report has in common.

The format is that of the guest's init: for each step ``@@ham begin N``, files as ``@@ham file PATH`` ...
``@@ham end``, ``@@ham rc N``, ``@@ham finish N``, and ``@@ham pause N`` where the guest then waited for the
host; ``@@ham done`` last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from hamkit.errors import Failure

MARK = "@@ham "
DISTURBED = "the guest's second serial port was disturbed, run again"

T = TypeVar("T")


class BadLine(Exception):
    """A line of a file that is not what that file holds; ``offset`` counts from the file's first line."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset, self.why = offset, why


@dataclass(frozen=True)
class Frame:
    """One step of a report: its exit status, and each file's lines with the report's line number of the
    first one. Step 0 is the state after boot."""

    step: int
    rc: int
    files: Mapping[str, tuple[int, tuple[str, ...]]]

    def lines(self, name: str) -> tuple[str, ...]:
        """A file's lines; none when it is not in the report."""
        return self.files[name][1] if name in self.files else ()

    def read(self, name: str, parse: Callable[[Sequence[str]], T]) -> T:
        """A file's content by ``parse``, which may raise BadLine. Raises Failure naming step and line."""
        first, body = self.files[name]
        try:
            return parse(body)
        except BadLine as bad:
            where = f"report, step {self.step}, line {first + bad.offset}"
            raise Failure(f"{where}: {name}: {bad.why}", DISTURBED) from bad


def frames(text: str, needed: Sequence[str]) -> Iterator[Frame]:
    """The frames of steps 0, 1, ... in order, each with the files ``needed`` at least.

    Raises Failure naming step and line when the report is cut short or garbled.
    """
    return _Reader(text, needed).frames()


def lines_of(text: str) -> list[str]:
    """The lines of a serial port's text; what follows the last newline is the last one."""
    return [line.rstrip("\r") for line in text.split("\n")]


class _Reader:
    """Walks through a report's lines, remembering where it is for the error messages."""

    def __init__(self, text: str, needed: Sequence[str]) -> None:
        self._lines = lines_of(text)
        self._needed = needed
        self._at = 0
        self._step: int | None = None

    def frames(self) -> Iterator[Frame]:
        number = 0
        while self._word() != "done":
            self._expect(f"begin {number}")
            self._step = number
            files = self._files()
            rc = self._integer("rc")
            yield Frame(number, rc, files)
            self._expect(f"finish {number}")
            if self._word() == "pause":
                self._expect(f"pause {number}")
            number += 1
        if number == 0:
            raise self._garbled("no step before the end")

    def _files(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        files: dict[str, tuple[int, tuple[str, ...]]] = {}
        while self._word() == "file":
            name = self._next().removeprefix(f"{MARK}file ")
            first, body = self._at + 1, []
            while self._peek() != f"{MARK}end":
                if self._peek().startswith(MARK):
                    raise self._garbled(f"{name} does not end before {self._peek()!r}")
                body.append(self._next())
            self._next()
            files[name] = (first, tuple(body))
        absent = [name for name in self._needed if name not in files]
        if absent:
            raise self._garbled(f"no {', '.join(absent)}")
        return files

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

    def _garbled(self, why: str, hint: str = DISTURBED) -> Failure:
        where = "before the first step" if self._step is None else f"step {self._step}"
        return Failure(f"report, {where}, line {self._at + 1}: {why}", hint)
