"""The lines of a console log that a reader wants first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_LINE = 300
LAST_LINES = 12
MOST_LINES = 160

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_STAMP = r"(?:^|\]\s*|:\s*)"
_OURS = re.compile(_STAMP + r"(?:ham|mhp_sim|hamkit)\b", re.IGNORECASE)
_TROUBLE = re.compile(
    r"Kernel panic|Oops:|BUG:|WARNING:|Call Trace:|Out of memory|segfault at|general protection|lockup"
)
_BOOT = re.compile(r"Linux version|Command line:|Memory: \d|user: \[mem|Memory block size")


@dataclass(frozen=True)
class Line:
    """One shown line: ``number`` in the log, from 1; ``left_out`` lines before it are not shown."""

    number: int
    text: str
    kind: str
    left_out: int


@dataclass(frozen=True)
class Excerpt:
    """What is shown of a log of ``total`` lines; ``after`` lines follow the last one shown."""

    lines: tuple[Line, ...]
    total: int
    after: int


def excerpt(text: str) -> Excerpt:
    """Boot's own account of memory, all that HAM said, trouble, and the end of the log.

    Control sequences are dropped and overlong lines cut; of more than MOST_LINES
    lines worth showing the last ones are shown.
    """
    lines = [_clean(line) for line in text.removesuffix("\n").split("\n")] if text else []
    kinds = [_kind(line) for line in lines]
    first_of_end = len(lines) - LAST_LINES
    wanted = [i for i, kind in enumerate(kinds) if kind or i >= first_of_end][-MOST_LINES:]
    shown = tuple(_shown(wanted, lines, kinds))
    return Excerpt(shown, len(lines), len(lines) - (wanted[-1] + 1 if wanted else 0))


def _shown(wanted: list[int], lines: list[str], kinds: list[str]) -> Iterator[Line]:
    before = -1
    for i in wanted:
        yield Line(i + 1, lines[i], kinds[i], i - before - 1)
        before = i


def _clean(line: str) -> str:
    plain = _CONTROL.sub("", line).expandtabs()
    return plain if len(plain) <= LONGEST_LINE else plain[:LONGEST_LINE] + "…"


def _kind(line: str) -> str:
    if _TROUBLE.search(line):
        return "trouble"
    if _OURS.search(line):
        return "ours"
    return "boot" if _BOOT.search(line) else ""
