"""Unified diffs, their statistics, and the mail that git am takes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hamkit import __version__

AUTHOR = "hamkit <hamkit@localhost>"
DATE = "Thu, 1 Nov 2001 00:00:00 +0000"  # pinned: rendering twice gives the same bytes
GRAPH = 40  # widest bar of the statistics


@dataclass(frozen=True)
class Change:
    """One file of a patch; ``before`` is None for a new file."""

    path: str
    before: str | None
    after: str

    @cached_property
    def lines(self) -> list[str]:
        """The diff's lines, headers first."""
        old = "/dev/null" if self.before is None else f"a/{self.path}"
        mode = ["new file mode 100644\n"] if self.before is None else []
        body = difflib.unified_diff(_lines(self.before or ""), _lines(self.after), old, f"b/{self.path}", n=3)
        return [f"diff --git a/{self.path} b/{self.path}\n", *mode, *(_ended(line) for line in body)]

    @property
    def counts(self) -> tuple[int, int]:
        """Lines added and removed."""
        body = [line for line in self.lines if not line.startswith(("+++", "---"))]
        return sum(line[0] == "+" for line in body), sum(line[0] == "-" for line in body)


def changes(before: Mapping[str, str | None], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What differs between two states of the same files, by path."""
    return tuple(
        Change(path, before[path], text) for path, text in sorted(after.items()) if before[path] != text
    )


def statistics(changed: tuple[Change, ...]) -> str:
    """A diffstat: a line a file, and the sum."""
    width = max(len(change.path) for change in changed)
    most = max(sum(change.counts) for change in changed)
    digits, scale = len(str(most)), min(1.0, GRAPH / most)
    lines, plus, minus = [], 0, 0
    for change in changed:
        added, removed = change.counts
        bar = "+" * _bar(added, scale) + "-" * _bar(removed, scale)
        lines.append(f" {change.path:<{width}} | {added + removed:>{digits}} {bar}")
        plus, minus = plus + added, minus + removed
    lines.append(f" {len(changed)} files changed, {plus} insertions(+), {minus} deletions(-)")
    return "\n".join(lines) + "\n"


def mail(number: int, total: int, subject: str, rationale: str, changed: tuple[Change, ...]) -> str:
    """One patch of the series as a mail."""
    return "".join(
        [
            f"From {'0' * 40} Mon Sep 17 00:00:00 2001\n",
            f"From: {AUTHOR}\nDate: {DATE}\n",
            f"Subject: [PATCH {number}/{total}] {subject}\n\n",
            f"{rationale.strip()}\n---\n",
            statistics(changed),
            "\n",
            *(line for change in changed for line in change.lines),
            f"-- \nhamkit {__version__}\n\n",
        ]
    )


def _bar(count: int, scale: float) -> int:
    return max(1, round(count * scale)) if count else 0


def _lines(text: str) -> list[str]:
    """Lines with their newline; only a newline ends a line (a form feed does not)."""
    *whole, tail = text.split("\n")
    return [f"{line}\n" for line in whole] + ([tail] if tail else [])


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
