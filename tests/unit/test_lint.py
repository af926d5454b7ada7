"""lint's own rules: which files it looks at, and what must not be named in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit.lint import LintCheck, LintResult, is_shell, leaks, listed_files, rows
from hamkit.run import run
from hamkit.stage import Verdict


def host(*labels: str) -> str:
    """A host name, put together so that it does not stand in this file."""
    return ".".join(labels)


@pytest.mark.parametrize(
    "name",
    [
        host("deb", "debian", "org"),
        host("registry-1", "docker", "io"),
        host("pypi", "org"),
        host("files", "pythonhosted", "org"),
        host("archive", "ubuntu", "com"),
        "/".join(("", "home", "ann", "hamkit")),
    ],
)
def test_a_registry_or_a_home_is_found(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    path.write_text(f"first\nsee {name} there\n")
    (found,) = leaks([path], tmp_path)
    assert found.startswith("file:2: names ")


@pytest.mark.parametrize("text", ["docker.io dockerd", "debian:12", "files.py", "~/.cache/ham", "index.html"])
def test_words_of_ours_are_not_taken_for_hosts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    assert leaks([path], tmp_path) == []


def test_the_checkout_itself_is_found(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(f"cd {tmp_path}/ci\ncd {tmp_path}-other\n")
    assert leaks([path], tmp_path) == [f"file:1: names {tmp_path}"]


@pytest.mark.parametrize(
    ("first", "shell"),
    [
        ("#!/bin/sh", True),
        ("#!/usr/bin/env bash", True),
        ("#!/bin/busybox sh", True),
        ("#!/usr/bin/env python3", False),
        ("sh", False),
        ("", False),
    ],
)
def test_a_shell_script_is_told_by_its_first_line(tmp_path: Path, first: str, shell: bool) -> None:
    path = tmp_path / "script"
    path.write_text(f"{first}\n")
    assert is_shell(path) is shell


def test_files_are_those_that_git_would_track(tmp_path: Path) -> None:
    for name in (".gitignore", "kept", "made", "sub/kept"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("made\n")
    run(["git", "init", "-q", tmp_path])
    assert [p.name for p in listed_files(tmp_path)] == [".gitignore", "kept", "kept"]


def test_without_git_caches_are_left_out(tmp_path: Path) -> None:
    for name in ("kept", ".venv/bin/python", "__pycache__/x.pyc", ".mypy_cache/x", "hamkit/build/kept"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert listed_files(tmp_path) == [tmp_path / "hamkit/build/kept", tmp_path / "kept"]


def test_a_check_that_did_not_run_is_no_pass() -> None:
    ran = LintCheck("a", Verdict.PASS, 0.1)
    missing = LintCheck("b", Verdict.NOT_RUN, 0.0, "shellcheck is not installed")
    failed = LintCheck("c", Verdict.FAIL, 0.0, "line 1")
    assert LintResult((ran,)).passed
    assert LintResult((ran, missing)).verdict is Verdict.NOT_RUN
    assert LintResult((ran, missing, failed)).verdict is Verdict.FAIL
    assert rows(LintResult((failed,))) == [("c", Verdict.FAIL, "0.0", "line 1")]
