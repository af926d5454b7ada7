"""A series applied to a copy: where it says, or not at all; and kept in the cache under what made it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hamkit.build.kernel24.apply import apply_series
from hamkit.errors import Failure, UserError
from hamkit.files import sha256_tree
from hamkit.kernel.facts import KernelFacts
from hamkit.kernel.identify import Identity
from hamkit.kernel.source import KernelSource
from hamkit.render.series import SeriesResult
from hamkit.render.series.cache import series_folder
from hamkit.render.series.diff import Change, mail
from hamkit.render.series.overlay import digest
from hamkit.stage import StageResult, Verdict

OLD = "".join(f"line {number}\n" for number in range(1, 21))
NEW = OLD.replace("line 10\n", "line ten\n")
FACTS = KernelFacts(Identity("2.4.13", "2.4.13", "", "vanilla", ()), {}, (), ())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "linux"
    root.mkdir()
    (root / "a.c").write_text(OLD)
    return root


def made(folder: Path, before: str, after: str) -> SeriesResult:
    """A series of one patch. The manifest always tells of OLD and NEW, the patch of what is given."""
    folder.mkdir()
    patch = folder / "0001-a.patch"
    patch.write_text(mail(1, 1, "A change", "Why.", (Change("a.c", before, after),)))
    files = {"a.c": {"before": digest(OLD), "after": digest(NEW)}}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))
    return SeriesResult(StageResult("patch", Verdict.PASS, 0.0), folder, (patch,), FACTS)


needs_patch = pytest.mark.skipif(shutil.which("patch") is None, reason="patch: apt-get install patch")


@needs_patch
def test_applied_once(tmp_path: Path, tree: Path) -> None:
    series = made(tmp_path / "series", OLD, NEW)
    apply_series(series, tree)
    assert (tree / "a.c").read_text() == NEW
    assert [path.name for path in tree.iterdir()] == ["a.c"]
    with pytest.raises(UserError, match="applied"):
        apply_series(series, tree)


@needs_patch
def test_a_patch_that_fits_elsewhere_only_is_refused(tmp_path: Path, tree: Path) -> None:
    shifted = made(tmp_path / "series", "more\n" + OLD, "more\n" + NEW)
    with pytest.raises(Failure, match=r"0001-a\.patch does not apply: .*offset"):
        apply_series(shifted, tree)


def test_another_tree_is_refused(tmp_path: Path, tree: Path) -> None:
    series = made(tmp_path / "series", OLD, NEW)
    (tree / "a.c").write_text("other\n")
    with pytest.raises(UserError, match="another tree"):
        apply_series(series, tree)
    assert (tree / "a.c").read_text() == "other\n"


def test_the_cache_goes_by_tree_and_reserve(cache: Path) -> None:
    one, other = KernelSource(Path("/nowhere"), "x"), KernelSource(Path("/nowhere"), "x")
    vars(one)["digest"], vars(other)["digest"] = "1" * 64, "2" * 64
    folders = {series_folder(one, 128), series_folder(one, 64), series_folder(other, 128)}
    assert len(folders) == 3
    assert series_folder(one, 128) in folders
    assert {folder.parent for folder in folders} == {cache / "series24"}


def test_a_tree_s_digest_can_leave_suffixes_out(tmp_path: Path, tree: Path) -> None:
    before = sha256_tree(tree, (".pyc",))
    (tree / "b.pyc").write_bytes(b"x")
    assert sha256_tree(tree, (".pyc",)) == before
    assert sha256_tree(tree) != before
