"""What probes are made of: what they see, and how they say that they do not know."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hamkit.kernel.csource import Found, Tree

Value = str | int | bool


@dataclass(frozen=True)
class Seen:
    """What a probe saw: a value, and where."""

    value: Value
    file: str
    line: int = 0

    @classmethod
    def at(cls, value: Value, found: Found) -> Seen:
        return cls(value, found.file, found.line)

    @classmethod
    def whether(cls, found: Found | None, file: str) -> Seen:
        """Yes with its place, or no with the file that lacks it."""
        return cls(True, found.file, found.line) if found else cls(False, file)


class Unknown(Exception):
    """A probe met code of a shape that it does not know; the text says what and where."""


@dataclass(frozen=True)
class Probe:
    """How one fact is found. ``look`` raises Unknown for code of an unknown shape."""

    name: str
    title: str
    look: Callable[[Tree], Seen]


def need(found: Found | None, file: str, what: str) -> Found:
    """What a probe cannot do without. Raises Unknown."""
    if found is None:
        raise Unknown(f"{file} has no {what}")
    return found


def number(text: str) -> int:
    """A C integer constant, perhaps in parentheses and with a suffix. Raises Unknown."""
    match = re.search(r"0[xX][0-9a-fA-F]+|\d+", text)
    if match is None:
        raise Unknown(f"{text!r} is not a number")
    return int(match.group(), 0)
