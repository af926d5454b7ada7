"""What is cleaned away, and what never is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hamkit import clean
from hamkit.files import project_root

GIVEN = {"kernels", "toolchains"}  # the user's
FOLDER = re.compile(r"cache_root\(\) / \"([\w-]+)\"")


def test_every_folder_that_is_made_in_the_cache_is_cleaned() -> None:
    sources = (project_root() / "hamkit").rglob("*.py")
    named = {name for source in sources for name in FOLDER.findall(source.read_text())}
    assert named - GIVEN == set(clean.MADE)


def test_what_the_user_put_there_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))
    monkeypatch.setattr(clean, "project_root", lambda: tmp_path / "checkout")
    for name in (*GIVEN, *clean.MADE):
        (tmp_path / name / "below").mkdir(parents=True)
    clean.clean(None)
    assert {path.name for path in tmp_path.iterdir()} == GIVEN
