"""The source archive: the same bytes wherever and whenever it is packed."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from hamkit.build.engine import pack, unpack
from hamkit.build.sources import archive
from hamkit.errors import UserError

EPOCH = 1700000000


def _tree(root: Path, stamp: int) -> Path:
    root.mkdir()
    for name, text in (("b.c", "int b;\n"), ("a/a.h", "#define A\n"), ("run.sh", "#!/bin/sh\n")):
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (stamp, stamp))
    (root / "run.sh").chmod(0o700)
    (root / "build").mkdir()
    (root / "build" / "left.o").write_text(str(stamp))
    (root / ".hidden").write_text(str(stamp))
    return root


def test_bytes_do_not_depend_on_place_time_or_mask(tmp_path: Path) -> None:
    one = archive(_tree(tmp_path / "one", 1), "ham-1", EPOCH, {})
    before = os.umask(0o077)
    try:
        two = archive(_tree(tmp_path / "two", 2000000000), "ham-1", EPOCH, {})
    finally:
        os.umask(before)
    assert one == two


def test_members_are_ours_and_owned_by_root(tmp_path: Path) -> None:
    extra = tmp_path / "LICENSE"
    extra.write_text("free\n")
    raw = archive(_tree(tmp_path / "t", 1), "ham-1", EPOCH, {"LICENSE": extra})
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:gz") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == ["ham-1/LICENSE", "ham-1/a/a.h", "ham-1/b.c", "ham-1/run.sh"]
    assert {(m.uname, m.gname, m.uid, m.mtime) for m in members} == {("root", "root", 0, EPOCH)}
    assert [oct(m.mode) for m in members] == ["0o644", "0o644", "0o644", "0o755"]


def test_nothing_to_pack_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no sources"):
        archive(tmp_path, "ham-1", EPOCH, {})


def test_job_files_survive_the_journey() -> None:
    files = {"a": b"1", "deep/er/b": b"\0\xff" * 5000}
    assert unpack(pack(files)) == files
