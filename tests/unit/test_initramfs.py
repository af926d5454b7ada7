"""The archive against real cpio: what it lists, what it unpacks, and that nothing else gets in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamkit.errors import UserError
from hamkit.prove.initramfs import Node, character_device, cpio, file, folder, link, program
from hamkit.run import run

TREE = {
    "/init": program(b"#!/bin/sh\n"),
    "/bin/busybox": program(b"\x7fELF" + bytes(range(256))),
    "/bin/sh": link("busybox"),
    "/dev/console": character_device(5, 1),
    "/dev/ttyS1": character_device(4, 65),
    "/lib/modules/6.1/extra/ham/ham.ko": file(b"module"),
    "/etc/empty": file(b""),
    "/proc": folder(),
}


def listing(archive: bytes) -> dict[str, list[str]]:
    """Path -> the other columns of ``cpio -tv``."""
    text = run(["cpio", "--quiet", "-tvn"], data=archive).stdout
    rows = [line.split() for line in text.splitlines()]
    return {row[9] if row[0].startswith("c") else row[8]: row for row in rows}


def test_cpio_lists_types_modes_owners_and_devices() -> None:
    rows = listing(cpio(TREE))
    assert rows["init"][0] == "-rwxr-xr-x"
    assert rows["etc/empty"][0] == "-rw-r--r--"
    assert rows["proc"][0] == "drwxr-xr-x"
    assert rows["bin/sh"][0].startswith("l")
    assert rows["bin/sh"][-1] == "busybox"
    console = " ".join(rows["dev/console"])
    assert console.startswith("crw-------")
    assert "5, 1" in " ".join(console.split())
    assert {tuple(row[2:4]) for row in rows.values()} == {("0", "0")}


def test_folders_above_every_file_come_before_it() -> None:
    names = run(["cpio", "--quiet", "-t"], data=cpio(TREE)).stdout.splitlines()
    assert names == sorted(names)
    assert {"lib", "lib/modules", "lib/modules/6.1", "lib/modules/6.1/extra"} <= set(names)


def test_cpio_unpacks_the_same_bytes(tmp_path: Path) -> None:
    plain = {path: node for path, node in TREE.items() if not stat.S_ISCHR(node.mode)}
    run(["cpio", "--quiet", "-idm", "--no-absolute-filenames"], data=cpio(plain), cwd=tmp_path)
    for path, node in plain.items():
        made = tmp_path / path.lstrip("/")
        if stat.S_ISREG(node.mode):
            assert made.read_bytes() == node.content
            assert made.stat().st_mode == node.mode
            assert made.stat().st_mtime == 0
    assert (tmp_path / "bin" / "sh").readlink() == Path("busybox")


def test_order_of_the_mapping_does_not_matter() -> None:
    assert cpio(TREE) == cpio(dict(reversed(TREE.items())))


@pytest.mark.parametrize("path", ["/", "", "../etc/passwd", "/a/../../b", "a\0b"])
def test_path_outside_the_root_is_refused(path: str) -> None:
    with pytest.raises(UserError, match="not a path in the guest"):
        cpio({path: file(b"")})


def test_file_below_a_file_is_refused() -> None:
    with pytest.raises(UserError, match="a/b lies below a"):
        cpio({"a": file(b"x"), "a/b": file(b"y")})


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,9}", fullmatch=True), st.binary(max_size=70), min_size=1, max_size=6
    )
)
def test_any_name_and_length_is_padded_right(contents: dict[str, bytes]) -> None:
    nodes: dict[str, Node] = {name: file(content) for name, content in contents.items()}
    archive = cpio(nodes)
    assert len(archive) % 4 == 0
    sizes = {name: int(row[4]) for name, row in listing(archive).items()}
    assert sizes == {name: len(content) for name, content in contents.items()}
