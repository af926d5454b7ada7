"""rpm's order of versions, and names of packages: NEVRA, [E:]V[-R].

Source: rpm's manual, rpm-version(7), and rpmio/rpmvercmp.c (``~`` sorts before the end
of a version, ``^`` after it but before any other character).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+.-]*")
VERSION = re.compile(r"[A-Za-z0-9._+~^]+")
ARCHES = frozenset({
    "noarch", "i386", "i486", "i586", "i686", "athlon", "x86_64", "ia64", "ppc", "ppc64", "ppc64le", "s390",
    "s390x", "alpha", "sparc", "sparc64", "armv7hl", "aarch64", "riscv64", "loongarch64",
})  # fmt: skip
_JUNK = re.compile(r"\A[^A-Za-z0-9~^]+")
_DIGITS, _LETTERS = re.compile(r"[0-9]+"), re.compile(r"[A-Za-z]+")


def compare_versions(one: str, two: str) -> int:
    """-1, 0 or 1 as rpm orders two versions or two releases."""
    while one or two:
        one, two = _JUNK.sub("", one, count=1), _JUNK.sub("", two, count=1)
        order = _compare_marks(one, two)
        if order:
            return order
        if one[:1] in ("~", "^"):
            one, two = one[1:], two[1:]
            continue
        if not (one and two):
            break
        order, one, two = _compare_segment(one, two)
        if order:
            return order
    return bool(one) - bool(two)


def _compare_marks(one: str, two: str) -> int:
    """Order when one side only stands at a mark, else 0.

    A tilde sorts before everything, also the end; a caret after the end, before the rest.
    """
    first, second = one[:1], two[:1]
    if first != second and "~" in (first, second):
        return -1 if first == "~" else 1
    if first != second and "^" in (first, second):
        if not (one and two):
            return 1 if one else -1
        return -1 if first == "^" else 1
    return 0


def _compare_segment(one: str, two: str) -> tuple[int, str, str]:
    """Order of the first run of digits or letters, and what is left of both."""
    numeric = one[0].isascii() and one[0].isdigit()
    pattern = _DIGITS if numeric else _LETTERS
    first, second = pattern.match(one), pattern.match(two)
    left, right = first.group() if first else "", second.group() if second else ""
    rest = one[len(left) :], two[len(right) :]
    if not right:
        return (1 if numeric else -1), *rest
    if numeric:
        left, right = left.lstrip("0"), right.lstrip("0")
        if len(left) != len(right):
            return (1 if len(left) > len(right) else -1), *rest
    return (left > right) - (left < right), *rest


@dataclass(frozen=True)
class Evr:
    """An epoch (0 when there is none), a version and a release (None: any release)."""

    epoch: int
    version: str
    release: str | None = None

    @classmethod
    def parse(cls, text: str) -> Evr:
        """From ``[epoch:]version[-release]``, as rpm splits it."""
        digits = re.match(r"([0-9]*):", text)
        rest = text[digits.end() :] if digits else text
        version, dash, release = rest.rpartition("-")
        epoch = int(digits.group(1) or 0) if digits else 0
        return cls(epoch, version, release) if dash else cls(epoch, rest)

    def compare(self, other: Evr) -> int:
        """-1, 0 or 1; a missing release sorts before any."""
        if self.epoch != other.epoch:
            return 1 if self.epoch > other.epoch else -1
        order = compare_versions(self.version, other.version)
        if order or self.release == other.release:
            return order
        if self.release is None or other.release is None:
            return -1 if self.release is None else 1
        return compare_versions(self.release, other.release)

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}" + (f"-{self.release}" if self.release is not None else "")


@dataclass(frozen=True)
class Nevra:
    """A package's full name."""

    name: str
    evr: Evr
    arch: str

    def __str__(self) -> str:
        return f"{self.name}-{self.evr}.{self.arch}"
