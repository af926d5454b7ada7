"""Outputs are written whole or not at all."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from hamkit.errors import MissingNeed, UserError
from hamkit.files import (
    cache_root,
    folder_whole,
    read_given,
    refused,
    scratch_folder,
    sha256_file,
    sha256_text,
    sha256_tree,
    write_whole,
)


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "deep" / "file", "one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in path.parent.iterdir()] == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_folder_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with folder_whole(target) as work:
        (work / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"


def test_folder_stays_as_it_was_on_error(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with folder_whole(target) as work:
        (work / "a").write_text("old")
    with pytest.raises(FileNotFoundError), folder_whole(target) as work:
        (work / "a").write_text((work / "absent").read_text())
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_folder_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "out"
    for text in ("old", "new"):
        with folder_whole(target) as work:
            (work / text).write_text(text)
    assert [p.name for p in target.iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    code = (
        "import os, signal; from pathlib import Path; from hamkit.files import folder_whole\n"
        f"with folder_whole(Path({str(tmp_path / 'out')!r})) as work:\n"
        "    (work / 'half').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with folder_whole(tmp_path / "out") as work:
        (work / "whole").write_text("y")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_scratch_folder_is_gone_afterwards(cache: Path) -> None:
    with scratch_folder("x") as work:
        (work / "file").write_text("x")
    assert list((cache / "work").iterdir()) == []


def test_cache_that_cannot_be_made_is_the_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("HAM_CACHE", str(blocker / "cache"))
    with pytest.raises(UserError, match="cannot make the cache"):
        cache_root()


def test_digests(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "f", "abc")
    assert sha256_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_text("ab", "c") != sha256_text("a", "bc")


def test_tree_digest_sees_name_content_and_mode(tmp_path: Path) -> None:
    digests = set()
    path = write_whole(tmp_path / "f", "abc")
    digests.add(sha256_tree(tmp_path))
    path.chmod(0o755)
    digests.add(sha256_tree(tmp_path))
    write_whole(path, "abd")
    digests.add(sha256_tree(tmp_path))
    path.rename(tmp_path / "g")
    digests.add(sha256_tree(tmp_path))
    assert len(digests) == 4


@pytest.mark.parametrize("kind", ["file", "folder", "half"])
def test_what_is_not_ours_is_never_replaced(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "mine"
    precious = target if kind == "file" else target / ("manifest.json" if kind == "half" else "thesis.tex")
    precious.parent.mkdir(exist_ok=True)
    precious.write_text("years of work")
    with pytest.raises(UserError, match="mine"), folder_whole(target, ("manifest.json", "series")) as work:
        (work / "a").touch()
    assert precious.read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["mine"], "nothing else was left"


def test_what_is_ours_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "new"
    for text in ("1", "2"):
        with folder_whole(target, ("series",)) as work:
            (work / "series").write_text(text)
    assert (target / "series").read_text() == "2"
    (empty := tmp_path / "empty").mkdir()
    with folder_whole(empty, ("series",)) as work:
        (work / "series").touch()
    assert (empty / "series").exists()


def test_what_the_system_refuses_names_the_place_and_whose_mistake_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as inside:
        write_whole(Path("/proc/new"), "")
    told = refused(inside.value)
    assert isinstance(told, UserError)
    assert told.message == "/proc: No such file or directory"
    full = refused(OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "big")))
    assert isinstance(full, MissingNeed)
    assert str(tmp_path / "big") in full.message
    assert "invoke clean" in full.hint
    assert refused(OSError("odd")).message == "odd"


def test_a_device_without_end_is_read_no_further_than_a_file_may_be() -> None:
    with pytest.raises(OSError, match="more than 1 MiB"):
        read_given(Path("/dev/zero"), 1 << 20)
