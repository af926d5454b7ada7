"""version.bump: the plan, what stands in its way, and a checkout that is whole whatever happens."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from hamkit.errors import HamkitError, UserError
from hamkit.publish.version import BumpRequest, carry_out, plan
from hamkit.run import run

CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A thing
- Another thing,
  in two lines

## [0.9.1] - 2026-01-02

- First
"""
DAY = datetime.date(2026, 3, 4)


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=tester", "-c", "user.email=tester@localhost")
    return run(["git", "-C", root, *who, *words]).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "hamkit"
    for name, text in {
        "CHANGELOG.md": CHANGELOG,
        "ham-src/VERSION": "0.9.1\n",
        "hamkit/__init__.py": '"""x"""\n\n__version__ = "0.9.1"\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "init", "-q")
    git(root, "config", "user.name", "tester")
    git(root, "config", "user.email", "tester@localhost")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "start")
    return root


@pytest.mark.parametrize(("part", "version"), [("major", "1.0.0"), ("minor", "0.10.0"), ("patch", "0.9.2")])
def test_the_next_version(checkout: Path, part: str, version: str) -> None:
    before = (checkout / "CHANGELOG.md").read_text()
    wanted = plan(BumpRequest(checkout, part, date=DAY))
    assert (wanted.old, wanted.new, wanted.tag) == ("0.9.1", version, f"v{version}")
    assert wanted.changes == ("A thing", "Another thing, in two lines")
    assert (checkout / "CHANGELOG.md").read_text() == before


def test_carried_out(checkout: Path) -> None:
    commit = carry_out(plan(BumpRequest(checkout, "minor", date=DAY)), checkout)
    assert git(checkout, "rev-parse", "v0.10.0^{commit}").strip() == commit
    assert git(checkout, "status", "--porcelain") == ""
    assert (checkout / "ham-src/VERSION").read_text() == "0.10.0\n"
    assert '__version__ = "0.10.0"' in (checkout / "hamkit/__init__.py").read_text()
    text = (checkout / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [0.10.0] - 2026-03-04\n\n### Added\n\n- A thing\n" in text
    assert git(checkout, "log", "-1", "--format=%s").strip() == "Release 0.10.0"
    assert "- Another thing, in two lines" in git(checkout, "tag", "-n9", "--list", "v0.10.0")
    with pytest.raises(UserError, match="says nothing under"):
        plan(BumpRequest(checkout, "minor", date=DAY))


def test_a_commit_that_git_refuses_leaves_everything_as_it_was(checkout: Path) -> None:
    hook = checkout / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(HamkitError):
        carry_out(plan(BumpRequest(checkout, "minor", date=DAY)), checkout)
    assert git(checkout, "status", "--porcelain") == ""
    assert (checkout / "CHANGELOG.md").read_text() == CHANGELOG
    assert git(checkout, "tag", "--list") == ""


def test_a_tag_that_git_refuses_takes_the_commit_back(checkout: Path) -> None:
    wanted = plan(BumpRequest(checkout, "minor", date=DAY))
    git(checkout, "tag", "v0.10.0")  # made by somebody else in between
    with pytest.raises(HamkitError):
        carry_out(wanted, checkout)
    assert git(checkout, "log", "-1", "--format=%s").strip() == "start"
    assert git(checkout, "status", "--porcelain") == ""
    assert (checkout / "ham-src/VERSION").read_text() == "0.9.1\n"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        ({}, "either --part or --to"),
        ({"part": "minor", "to": "1.0.0"}, "either --part or --to"),
        ({"part": "middle"}, "is no part"),
        ({"to": "1.0"}, "is no version"),
        ({"to": "01.0.0"}, "is no version"),
        ({"to": "0.9.1"}, "is not above"),
        ({"to": "0.9.0"}, "is not above"),
        ({"to": "1.0.0", "date": datetime.date(2025, 1, 1)}, "is before 0.9.1"),
        ({"to": "1.0.0", "key": "nobody-has-this-key"}, "no secret key"),
    ],
)
def test_what_stands_in_its_way(checkout: Path, request_: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        plan(BumpRequest(checkout, **request_))  # type: ignore[arg-type]


def test_changes_that_are_not_committed(checkout: Path) -> None:
    (checkout / "ham-src" / "new").write_text("x")
    with pytest.raises(UserError, match="not committed"):
        plan(BumpRequest(checkout, "minor"))


def test_no_unreleased_section(checkout: Path) -> None:
    (checkout / "CHANGELOG.md").write_text("# Changelog\n\n## [0.9.1] - 2026-01-02\n\n- First\n")
    git(checkout, "commit", "-qam", "no section")
    with pytest.raises(UserError, match="no section"):
        plan(BumpRequest(checkout, "minor"))
