"""CHANGELOG.md (Keep a Changelog) as data: the spec's %changelog and the build's date come from it."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import UserError

HEAD = re.compile(r"^## \[(?P<version>[^\]]+)\] - (?P<date>\d{4}-\d{2}-\d{2})$")
ITEM = re.compile(r"^- (?P<text>.+)$")


@dataclass(frozen=True)
class Entry:
    """One released version. ``items`` are its bullet points, a line each."""

    version: str
    date: datetime.date
    items: tuple[str, ...]

    @property
    def epoch(self) -> int:
        """The day's first second in UTC: a release is never dated in the future on its own day."""
        begin = datetime.datetime.combine(self.date, datetime.time(), datetime.UTC)
        return int(begin.timestamp())

    @property
    def day(self) -> str:
        """The date in %changelog's spelling, "Mon Nov 23 2026"."""
        return self.date.strftime("%a %b %d %Y")


def parse(text: str) -> tuple[Entry, ...]:
    """Released versions, newest first; lines before the first version are left out."""
    found: list[tuple[str, datetime.date, list[str]]] = []
    for line in text.splitlines():
        if head := HEAD.match(line):
            found.append((head["version"], datetime.date.fromisoformat(head["date"]), []))
        elif line.startswith("## "):
            continue
        elif found and (item := ITEM.match(line)):
            found[-1][2].append(item["text"])
        elif found and found[-1][2] and line.startswith("  ") and line.strip():
            found[-1][2][-1] += " " + line.strip()
    return tuple(Entry(version, date, tuple(items)) for version, date, items in found)


def released(path: Path, version: str) -> tuple[Entry, ...]:
    """The entries from ``version`` on down. Raises UserError when it has none."""
    try:
        entries = parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as bad:
        raise UserError(f"{path.name}: {bad}", "it dates the packages: keep its format") from bad
    for place, entry in enumerate(entries):
        if entry.version == version:
            return entries[place:]
    raise UserError(
        f"{path.name} has no entry for version {version}", f"add a line '## [{version}] - YYYY-MM-DD'"
    )
