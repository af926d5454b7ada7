"""Which rows the words of the command line mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.matrix.columns import NAMES, until
from hamkit.matrix.rows import discover, natural

TREES = ("linux-2.4.9", "linux-2.4.10", "linux-2.4.13", "rhel3-2.4.21")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in TREES:
        (tmp_path / "kernels" / name).mkdir(parents=True)
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))
    return tmp_path


def names(kernels: str, distros: str) -> list[str]:
    return [row.name for row in discover(kernels, distros)]


def test_everything_when_nothing_is_said() -> None:
    assert names("", "")[:4] == ["linux-2.4.9", "linux-2.4.10", "linux-2.4.13", "rhel3-2.4.21"]
    assert "debian-12" in names("", "")


def test_patterns_and_names(cache: Path) -> None:
    assert names("linux-2.4.1?", "none") == ["linux-2.4.10", "linux-2.4.13"]
    assert names("rhel3*,linux-2.4.9", "none") == ["rhel3-2.4.21", "linux-2.4.9"]
    assert names("linux-2.4.13,linux-*", "none")[0] == "linux-2.4.13"
    assert names("none", "debian-1[12]") == ["debian-11", "debian-12"]


def test_a_path_is_a_row_too(tmp_path: Path) -> None:
    tree = tmp_path / "elsewhere" / "my-tree"
    tree.mkdir(parents=True)
    (row,) = discover(str(tree), "none")
    assert (row.name, row.given) == ("my-tree", str(tree))


@pytest.mark.parametrize(
    ("kernels", "distros", "reason"),
    [
        ("linux-3*", "none", "no kernel source matches 'linux-3"),
        ("none", "nixos", "no mainline distribution matches 'nixos'"),
        ("none", "none", "has no rows"),
    ],
)
def test_words_that_mean_nothing(kernels: str, distros: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        discover(kernels, distros)


def test_two_rows_of_one_name(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "tree").mkdir(parents=True)
    with pytest.raises(UserError, match="more than one row is called tree"):
        discover(f"{tmp_path}/a/tree,{tmp_path}/b/tree", "none")


def test_numbers_sort_as_numbers() -> None:
    given = ["2.4.10", "2.4.9", "2.4.9-pre1", "2.4", "rhel3", "a"]
    assert sorted(given, key=natural) == ["2.4", "2.4.9", "2.4.9-pre1", "2.4.10", "a", "rhel3"]


def test_columns_up_to_one() -> None:
    assert [c.name for c in until("applies")] == ["identify", "facts", "patch", "applies"]
    assert tuple(c.name for c in until("")) == NAMES
    with pytest.raises(UserError, match="no column is called"):
        until("paints")
