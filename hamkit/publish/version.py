"""A new version of hamkit and HAM: files, commit and tag, as a plan first.

What is new stands in CHANGELOG.md under ``## [Unreleased]``; the bump gives that
section its version and date, and the packages take both from there.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import HamkitError, UserError
from hamkit.files import write_whole
from hamkit.publish.gpg import KeyRing
from hamkit.render.changelog import Entry, parse
from hamkit.run import run

PARTS = ("major", "minor", "patch")
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
UNRELEASED = re.compile(r"^## \[Unreleased\][ \t]*$", re.MULTILINE)
COLUMNS = ("what", "from", "to")


@dataclass(frozen=True)
class BumpRequest:
    """``root`` is a git checkout of hamkit. One of ``part`` and ``to`` is given; ``key`` signs the tag."""

    root: Path
    part: str = ""
    to: str = ""
    date: datetime.date | None = None
    key: str = ""


@dataclass(frozen=True)
class Bump:
    """What a bump will do. ``files`` maps a path relative to the checkout to its new content."""

    old: str
    new: str
    date: datetime.date
    files: dict[str, str]
    changes: tuple[str, ...]
    message: str
    tag: str
    key: str

    def rows(self) -> list[tuple[str, str, str]]:
        """For a table of COLUMNS."""
        files = [(name, self.old, self.new) for name in self.files]
        return [*files, ("commit", "", self.message), ("tag", "", self.tag)]


def plan(request: BumpRequest) -> Bump:
    """The whole bump; changes nothing. Raises UserError for whatever stands in its way."""
    root = request.root
    old = _read(root, "ham-src/VERSION").strip()
    new = _next(old, request)
    date = request.date or datetime.datetime.now(datetime.UTC).date()
    tag = f"v{new}"
    if _git(root, "status", "--porcelain").strip():
        raise UserError("the checkout has changes that are not committed", "commit or stash them first")
    if _git(root, "tag", "--list", tag).strip():
        raise UserError(f"there is a tag {tag} already", "choose a higher version")
    changelog, entry = _changelog(_read(root, "CHANGELOG.md"), new, date)
    files = {
        "CHANGELOG.md": changelog,
        "ham-src/VERSION": f"{new}\n",
        "hamkit/__init__.py": _replaced(root, "hamkit/__init__.py", f'"{old}"', f'"{new}"'),
    }
    key = KeyRing().secret_key(request.key) if request.key else ""
    return Bump(old, new, date, files, entry.items, f"Release {new}", tag, key)


def carry_out(bump: Bump, root: Path) -> str:
    """Write, commit and tag; the commit's hash. When git refuses, the checkout is as it was."""
    before = {name: _read(root, name) for name in bump.files}
    head = _git(root, "rev-parse", "HEAD").strip()
    try:
        for name, text in bump.files.items():
            write_whole(root / name, text)
        _git(root, "commit", "--quiet", "--message", bump.message, "--", *bump.files)
        signed = ("--sign", "--local-user", bump.key) if bump.key else ("--annotate",)
        _git(root, "tag", *signed, "--message", _tag_text(bump), bump.tag)
    except HamkitError:
        if _git(root, "rev-parse", "HEAD").strip() != head:
            _git(root, "reset", "--quiet", "--soft", head)
        for name, text in before.items():
            write_whole(root / name, text)
        _git(root, "reset", "--quiet", "--", *bump.files)
        raise
    return _git(root, "rev-parse", "HEAD").strip()


def _next(old: str, request: BumpRequest) -> str:
    if bool(request.part) == bool(request.to):
        raise UserError("give either --part or --to", f"--part is one of {', '.join(PARTS)}; --to is X.Y.Z")
    if request.to:
        if not VERSION.fullmatch(request.to):
            raise UserError(f"{request.to!r} is no version", "three numbers: X.Y.Z")
        if _numbers(request.to) <= _numbers(old):
            raise UserError(f"{request.to} is not above {old}", "versions only grow: rpm compares them")
        return request.to
    if request.part not in PARTS:
        raise UserError(f"{request.part!r} is no part of a version", f"one of {', '.join(PARTS)}")
    place = PARTS.index(request.part)
    numbers = _numbers(old)
    return ".".join(map(str, (*numbers[:place], numbers[place] + 1, *[0] * (2 - place))))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def _changelog(text: str, version: str, date: datetime.date) -> tuple[str, Entry]:
    """The text with its unreleased section released, and that section. Raises UserError when it is empty."""
    if len(UNRELEASED.findall(text)) != 1:
        raise UserError("CHANGELOG.md has no section '## [Unreleased]'", "add one that says what is new")
    released = UNRELEASED.sub(f"## [Unreleased]\n\n## [{version}] - {date.isoformat()}", text)
    entries = parse(released)
    if not entries or entries[0].version != version or not entries[0].items:
        raise UserError("CHANGELOG.md says nothing under '## [Unreleased]'", "a release says what is new")
    if len(entries) > 1 and entries[1].date > date:
        raise UserError(
            f"{date.isoformat()} is before {entries[1].version} of {entries[1].date}", "give a later --date"
        )
    return released, entries[0]


def _tag_text(bump: Bump) -> str:
    return "\n".join([f"hamkit {bump.new}", "", *(f"- {item}" for item in bump.changes)])


def _replaced(root: Path, name: str, old: str, new: str) -> str:
    text = _read(root, name)
    if text.count(old) != 1:
        raise UserError(f"{name} does not hold the version {old} once", "mend it: versions must agree")
    return text.replace(old, new)


def _read(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="utf-8")
    except OSError as bad:
        raise UserError(f"cannot read {name}: {bad.strerror}", "this is no checkout of hamkit") from bad


def _git(root: Path, *words: str) -> str:
    environment = KeyRing().environment()
    return run(["git", "-C", root, *words], package="git", env=environment).stdout
