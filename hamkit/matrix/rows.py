"""The rows: kernel trees that the user has, and mainline distributions."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hamkit.errors import UserError
from hamkit.kernel.source import known_names

NONE = "none"


@dataclass(frozen=True)
class RowSpec:
    """What a row is about. ``given`` is what `--tree` or `--distro` would take."""

    name: str
    line: Literal["2.4", "mainline"]
    given: str


def discover(kernels: str, distros: str) -> tuple[RowSpec, ...]:
    """Rows from the words of the command line, trees first.

    ``kernels``: comma-separated names or patterns of sources in the cache, or paths; empty takes all of
    the cache. ``distros``: comma-separated names or patterns; empty takes every mainline distribution.
    The word ``none`` takes nothing. Raises UserError for a word that means nothing, and when no row is left.
    """
    rows = (*_trees(kernels), *_distributions(distros))
    if not rows:
        raise UserError(
            "the matrix has no rows", "put kernel sources below kernels/ in the cache, or name some"
        )
    names = [row.name for row in rows]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UserError(f"more than one row is called {', '.join(doubled)}", "name each source once")
    return rows


def _trees(words: str) -> list[RowSpec]:
    known = known_names()
    if not words:
        return [_tree(name) for name in sorted(known, key=natural)]
    found: list[str] = []
    for word in _split(words):
        matching = [word] if word in known else sorted(fnmatch.filter(known, word), key=natural)
        if not matching and Path(word).expanduser().exists():
            matching = [word]
        if not matching:
            raise UserError(f"no kernel source matches {word!r}", _hint(known))
        found += [name for name in matching if name not in found]
    return [_tree(name) for name in found]


def _tree(given: str) -> RowSpec:
    name = Path(given).expanduser().resolve().name if "/" in given else given
    return RowSpec(name, "2.4", given)


def _distributions(words: str) -> list[RowSpec]:
    if words and not _split(words):
        return []
    from hamkit import specs  # noqa: PLC0415 - a run over trees alone reads no facts of distributions

    known = {name: spec for name, spec in specs.load_all().items() if spec.distribution.line == "mainline"}
    found: list[str] = []
    for word in _split(words) if words else sorted(known, key=natural):
        matching = sorted(fnmatch.filter(known, word), key=natural)
        if not matching:
            raise UserError(f"no mainline distribution matches {word!r}", f"one of {', '.join(known)}")
        found += [name for name in matching if name not in found]
    return [RowSpec(name, "mainline", name) for name in found]


def _split(words: str) -> list[str]:
    return [word for part in words.split(",") if (word := part.strip()) and word != NONE]


def natural(name: str) -> list[tuple[int, int, str]]:
    """A sort key by which 2.4.9 comes before 2.4.10."""
    pieces = re.findall(r"\d+|\D+", name)
    return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in pieces]


def _hint(known: tuple[str, ...]) -> str:
    return f"in the cache: {', '.join(known)}" if known else "the cache holds no kernel sources"
