"""Repositories by the real createrepo_c, and rpm's own word on what is an upgrade."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamkit.errors import MissingNeed
from hamkit.prove.rpm.evr import Evr
from hamkit.run import find, run
from hamkit.stage import Verdict
from tests.unit.rpm_writer import Recipe, Values
from tests.unit.test_rpm_repository import dependency, failed, judge, mine, put, recipe, told

QUIET = ("--nosignature", "--nodigest")
UPGRADES = [
    ("1.0-1", "1.0-2"),
    ("1.0-2", "1.0-1"),
    ("1.0-1", "1.0-1"),
    ("1.9-1", "1.10-1"),
    ("1.10-1", "1.9-9"),
    ("1:0.1-1", "9.9-1"),
    ("9.9-1", "1:0.1-1"),
    ("1.0~rc1-1", "1.0-1"),
    ("1.0-1", "1.0~rc1-1"),
    ("1.0^20260101-1", "1.0.1-1"),
    ("1.0-1.el9", "1.0-1.el10"),
]
VERSIONS = st.from_regex(r"[0-9a-b]{1,2}([.~^][0-9a-b]{1,2}){0,2}", fullmatch=True)


def package(tmp_path: Path, folder: str, evr: str) -> Path:
    parsed = Evr.parse(evr)
    assert parsed.release is not None
    tags: dict[str, Values] = {"VERSION": [parsed.version], "RELEASE": [parsed.release]}
    epoch: dict[str, Values] = {"EPOCH": [parsed.epoch]} if parsed.epoch else {}
    return put(tmp_path / folder, "ham.rpm", recipe(**tags, **epoch))


@pytest.mark.parametrize("compress", ["gz", "xz", "bz2"])
def test_what_createrepo_makes(tmp_path: Path, compress: str) -> None:
    try:
        find("createrepo_c", "createrepo-c")
    except MissingNeed as missing:
        pytest.skip(str(missing))
    repo = tmp_path / "repo"
    put(repo, "a.rpm", recipe(VERSION=["1.2.0"], EPOCH=[1]))
    put(repo / "deep", "b.rpm", recipe(VERSION=["1.10.0"], EPOCH=[1]))
    put(repo, "c.rpm", recipe(NAME=["new"], **dependency("OBSOLETE", "gone", 2, "2")))
    put(repo, "s.rpm", recipe(Recipe(), VERSION=["7"]))
    argv = ["createrepo_c", "--quiet", f"--general-compress-type={compress}", str(repo)]
    run(argv, package="createrepo-c")
    assert failed(judge(mine(tmp_path, VERSION=["1.10.1"], EPOCH=[1]), repo)) == set()
    result = judge(mine(tmp_path, VERSION=["1.9.0"], EPOCH=[1]), repo)
    assert failed(result) == {"upgrade"}
    assert told(result)["upgrade"].seen == "1:1.9.0-1 is older than the published ham-1:1.10.0-1.x86_64"
    assert "of 4)" in told(result)["name"].seen
    assert failed(judge(mine(tmp_path, VERSION=["9"]), repo)) == {"epoch"}
    assert failed(judge(mine(tmp_path, NAME=["gone"]), repo)) == {"obsoleted"}
    assert failed(judge(mine(tmp_path, Recipe()), repo)) == {"upgrade"}
    same = judge(mine(tmp_path, VERSION=["1.10.0"], EPOCH=[1]), repo)
    assert told(same)["republished"].seen.endswith("the same bytes")
    other = judge(mine(tmp_path, VERSION=["1.10.0"], EPOCH=[1], SUMMARY=["x"]), repo)
    assert failed(other) == {"republished"}


@pytest.mark.parametrize(("installed", "offered"), UPGRADES)
def test_rpm_upgrades_what_passes(tmp_path: Path, installed: str, offered: str) -> None:
    """rpm -U of the offered package, on a database that has the other: it takes what the rules let pass."""
    old, new = package(tmp_path, "old", installed), package(tmp_path, "new", offered)
    root = ["rpm", "--root", str(tmp_path / "root")]
    (tmp_path / "root").mkdir()
    run([*root, "--initdb"], package="rpm")
    run([*root, "-i", "--justdb", "--nodeps", "--ignorearch", *QUIET, str(old)], package="rpm")
    upgrade = [*root, "-U", "--test", "--justdb", "--nodeps", "--ignorearch", *QUIET, str(new)]
    said = run(upgrade, package="rpm", check=False)
    refused = failed(judge(new, tmp_path / "old"))
    if installed == offered:
        assert "is already installed" in said.stderr
        assert refused == set(), "the same bytes"
    else:
        assert (said.returncode == 0) == (refused == set()), said.stderr


def test_a_list_of_the_real_rpm(tmp_path: Path) -> None:
    old = package(tmp_path, "old", "2:1.0-1")
    root = ["rpm", "--root", str(tmp_path / "root")]
    (tmp_path / "root").mkdir()
    run([*root, "--initdb"], package="rpm")
    run([*root, "-i", "--justdb", "--nodeps", "--ignorearch", *QUIET, str(old)], package="rpm")
    listing = tmp_path / "list"
    listing.write_text(run([*root, "-qa", "--qf", "%{NEVRA}\n"], package="rpm").stdout)
    assert failed(judge(package(tmp_path, "new", "2:0.9-1"), listing)) == {"upgrade"}
    assert failed(judge(package(tmp_path, "new", "1:3.0-1"), listing)) == {"epoch"}
    listing.write_text(run([*root, "-qa"], package="rpm").stdout)
    assert failed(judge(package(tmp_path, "new", "0.9-1"), listing)) == {"upgrade"}


@settings(max_examples=2, deadline=None)
@given(st.lists(st.tuples(VERSIONS, VERSIONS), min_size=40, max_size=40))
def test_versions_in_the_order_of_rpm(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    """The verdict on 80 pairs of drawn versions is what rpm's own comparison says."""
    script = "".join(f'print(rpm.vercmp("{new}-1", "{old}-1"), "")' for new, old in pairs)
    theirs = [int(n) for n in run(["rpm", "--eval", f"%{{lua:{script}}}"], package="rpm").stdout.split()]
    for (new, old), order in zip(pairs, theirs, strict=True):
        folder = tmp_path_factory.mktemp("pair")
        listing = folder / "list"
        listing.write_text(f"ham-{old}-1.x86_64\n")
        upgrade = told(judge(package(folder, "new", f"{new}-1"), listing))["upgrade"]
        assert upgrade.verdict is (Verdict.FAIL if order < 0 else Verdict.PASS), (new, old)
