"""Distribution facts: every mistake at once, with file and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit import specs
from hamkit.errors import UserError

GOOD = (specs.specs_folder() / "debian-12.toml").read_text()


def test_the_shipped_ones_load_in_natural_order() -> None:
    names = list(specs.load_all())
    assert names == ["debian-11", "debian-12", "debian-13", "debian-14"]
    assert all(spec.distribution.line == "mainline" for spec in specs.load_all().values())


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="no distribution is called 'debian-99'") as caught:
        specs.load("debian-99")
    assert "debian-12" in caught.value.hint


def test_all_mistakes_of_all_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[distribution\n")
    wrong = GOOD.replace('line = "mainline"', 'line = "3.x"').replace('version = "4.18.0"', 'version = "new"')
    (tmp_path / "debian-12.toml").write_text(wrong + "surprise = 1\n")
    with pytest.raises(UserError) as caught:
        specs.load_all(tmp_path)
    lines = caught.value.message.splitlines()
    assert any(line.startswith("a.toml: not readable as TOML") for line in lines)
    assert any(line.startswith("debian-12.toml: distribution.line") for line in lines)
    assert any(line.startswith("debian-12.toml: rpm.version") for line in lines)
    assert any(line.startswith("debian-12.toml: rpm.surprise") for line in lines)


def test_name_must_be_the_files(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(UserError, match=r"other.toml: distribution.name: 'debian-12' is not"):
        specs.load_all(tmp_path)


def test_digest_must_be_one_that_rpm_knows(tmp_path: Path) -> None:
    text = GOOD.replace('file_digest = "sha256"', 'file_digest = "sha384"').replace('"sha384", ', "")
    (tmp_path / "debian-12.toml").write_text(text)
    with pytest.raises(UserError, match="file_digest 'sha384' is not among file_digests"):
        specs.load_all(tmp_path)
