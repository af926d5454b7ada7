"""Rules that fired too often or not often enough: all of them at once, with the nearest candidates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from hamkit.errors import Failure

SHOWN, WIDTH = 3, 70  # candidates a miss, characters of each
NOISE = frozenset(
    ("position", "identifier", "expression", "typedef", "struct", "unsigned", "define", "include")
)


@dataclass(frozen=True)
class Miss:
    """One rule that did not match as often as it must. ``candidates``: lines of the file, nearest first."""

    rule: str
    file: str
    wanted: int
    fired: int
    candidates: tuple[str, ...]

    def __str__(self) -> str:
        near = f"; nearest: {' | '.join(self.candidates)}" if self.candidates else "; nothing in it is near"
        return f"{self.rule}: {self.file}: fired {self.fired} times, must fire {self.wanted}{near}"


class SeriesMiss(Failure):
    """The series does not fit the tree; ``misses`` says where."""

    def __init__(self, misses: Iterable[Miss]) -> None:
        self.misses = tuple(misses)
        super().__init__(
            "the series does not fit this tree: " + "; ".join(map(str, self.misses)),
            "give the rule a form for this tree, or a fact that tells it apart",
        )


def candidates(pattern: str, text: str) -> tuple[str, ...]:
    """Lines of ``text`` that share the most and the rarest identifiers with a rule's or an edit's pattern."""
    wanted = _words(pattern) - NOISE
    lines = [(number, line, wanted & _words(line)) for number, line in enumerate(text.splitlines(), 1)]
    seen = Counter(word for _, _, shared in lines for word in shared)
    ranked = sorted((-sum(1 / seen[word] for word in shared), number, line) for number, line, shared in lines)
    return tuple(f"line {number}: {line.strip()[:WIDTH]}" for score, number, line in ranked[:SHOWN] if score)


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w{3,}", text))
