"""Files taken out of packages are the true ones, or none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.rpmfiles import BadPackage, extract_rpm
from hamkit.rpmfiles.tags import Kind, Tag
from tests.unit.rpm_writer import BINARY_FILES, COMPRESS, File, Recipe, write

SOURCE, BINARY = Recipe(), Recipe(source=False, files=BINARY_FILES)


def take(folder: Path, recipe: Recipe, *names: str) -> dict[str, bytes]:
    path = folder / "x.rpm"
    path.write_bytes(write(recipe))
    return extract_rpm(path, lambda name: not names or name in names)


@pytest.mark.parametrize("form", [4, 6])
@pytest.mark.parametrize("compressor", [name for name in COMPRESS if name != "zstd"])
def test_all_regular_files(tmp_path: Path, compressor: str, form: int) -> None:
    recipe = replace(BINARY, compressor=compressor, form=form)
    assert take(tmp_path, recipe) == {"/usr/share/doc/ham/README": b"read me\n"}
    recipe = replace(SOURCE, compressor=compressor, form=form)
    assert take(tmp_path, recipe) == {f.name: f.data for f in SOURCE.files}


def test_only_what_is_wanted(tmp_path: Path) -> None:
    assert set(take(tmp_path, SOURCE, "ham.spec")) == {"ham.spec"}
    assert take(tmp_path, SOURCE, "other") == {}


@pytest.mark.parametrize(
    ("recipe", "rule"),
    [
        (replace(SOURCE, files=(File("../../etc/passwd", b"x"),)), "files.paths"),
        (replace(SOURCE, files=(File("x", b"data", digest="0" * 64),)), "files.digests"),
        (replace(SOURCE, files=(File("x", b"data", size=1 << 30),)), "files.list"),
        (replace(SOURCE, tags={Tag.PAYLOADCOMPRESSOR: (Kind.STRING, ["xz"])}), "payload.magic"),
        (replace(SOURCE, signature={273: (Kind.STRING, ["0" * 64])}), "digest.header-sha256"),
    ],
)
def test_lies_are_refused(tmp_path: Path, recipe: Recipe, rule: str) -> None:
    with pytest.raises(BadPackage) as caught:
        take(tmp_path, recipe)
    assert caught.value.rule == rule


def test_a_folder_is_no_package(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a regular file"):
        extract_rpm(tmp_path, lambda _name: True)
