"""Kernel sources as folders, archives, packages and names; archives that mean harm."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.kernel import unpack
from hamkit.kernel.source import inventories, known_names, open_source, remembered_digest, tree_digest
from tests.unit.rpm_writer import File, Recipe, write

SMALL = project_root() / "tests" / "data" / "kernel" / "small24"
COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}


def tarball() -> bytes:
    """The small tree below linux/."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        archive.add(SMALL, "linux")
    return raw.getvalue()


def hostile(path: Path, **fields: object) -> Path:
    """The small tree with one more member."""
    with tarfile.open(path, "w") as archive:
        archive.add(SMALL, "linux")
        member = tarfile.TarInfo()
        for name, value in fields.items():
            setattr(member, name, value)
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    return path


@pytest.mark.parametrize("suffix", COMPRESS)
def test_tarballs(cache: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"linux.{suffix}"
    path.write_bytes(COMPRESS[suffix](tarball()))
    found = open_source(path)
    assert found.digest == tree_digest(SMALL)
    assert found.root.name == "linux"
    assert found.root.is_relative_to(cache)
    assert open_source(path) == found


def test_a_folder_or_the_only_tree_in_it(tmp_path: Path) -> None:
    shutil.copytree(SMALL, tmp_path / "linux")
    assert open_source(tmp_path).root == open_source(tmp_path / "linux").root
    shutil.copytree(SMALL, tmp_path / "other")
    with pytest.raises(UserError, match="holds 2 kernel trees"):
        open_source(tmp_path)


def test_a_name_in_the_cache(cache: Path) -> None:
    shutil.copytree(SMALL, cache / "kernels" / "linux-2.4.99")
    assert open_source("2.4.99").root == open_source("linux-2.4.99").root
    assert known_names() == ("linux-2.4.99",)
    with pytest.raises(UserError, match=r"no kernel source 2\.4\.98") as error:
        open_source("2.4.98")
    assert "linux-2.4.99" in error.value.hint


@pytest.mark.parametrize("name", ["..", "../kernels", "", "none"])
def test_names_do_not_leave_the_cache(
    cache: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(UserError):
        open_source(name)


HOSTILE: dict[str, tuple[dict[str, object], str]] = {
    "absolute": ({"name": "/etc/evil", "size": 3}, "not a path within"),
    "above": ({"name": "linux/../../evil", "size": 3}, "not a path within"),
    "device": (
        {"name": "linux/null", "type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3},
        "neither a file",
    ),
    "fifo": ({"name": "linux/pipe", "type": tarfile.FIFOTYPE}, "neither a file"),
    "absolute link": ({"name": "linux/l", "type": tarfile.SYMTYPE, "linkname": "/etc"}, "out of the archive"),
    "link above": (
        {"name": "linux/l", "type": tarfile.SYMTYPE, "linkname": "../../.."},
        "out of the archive",
    ),
    "hard link above": (
        {"name": "linux/l", "type": tarfile.LNKTYPE, "linkname": "../x"},
        "not a path within",
    ),
    "hard link to nothing": (
        {"name": "linux/l", "type": tarfile.LNKTYPE, "linkname": "linux/x"},
        "not in the",
    ),
    "file over folder": ({"name": "linux/mm", "size": 1}, "cannot be unpacked"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_members(cache: Path, tmp_path: Path, case: str) -> None:
    fields, words = HOSTILE[case]
    path = hostile(tmp_path / "evil.tar", **fields)
    with pytest.raises(UserError, match=words) as error:
        open_source(path)
    assert "\n" not in error.value.message
    assert not list((cache / "trees").iterdir())
    assert not (tmp_path / "evil").exists()


def test_nothing_is_written_through_a_link(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(SMALL, "linux")
        link = tarfile.TarInfo("linux/door")
        link.type, link.linkname = tarfile.SYMTYPE, "mm"
        archive.addfile(link)
        through = tarfile.TarInfo("linux/door/evil")
        archive.addfile(through)
    with pytest.raises(UserError, match="lies below the link"):
        open_source(path)


def test_links_that_only_together_lead_out(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(SMALL, "linux")
        for name, target in (("linux/mm/up", "../.."), ("linux/out", "mm/up/..")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    with pytest.raises(UserError, match="out of the archive"):
        open_source(path)


def test_links_within_are_kept(cache: Path, tmp_path: Path) -> None:
    path = hostile(tmp_path / "x.tar", name="linux/include/asm", type=tarfile.SYMTYPE, linkname="asm-i386")
    asm = open_source(path).root / "include" / "asm"
    assert asm.is_symlink()
    assert (asm / "page.h").is_file()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_bombs(cache: Path, tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "LARGEST", 4096)
    path = tmp_path / f"bomb.{suffix}"
    path.write_bytes(COMPRESS[suffix](tarball()))
    with pytest.raises(UserError, match="unpacks to more than"):
        open_source(path)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_archives(cache: Path, tmp_path: Path, suffix: str, damage: str) -> None:
    raw = COMPRESS[suffix](tarball())
    path = tmp_path / f"linux.{suffix}"
    path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else raw[:6] + bytes(500))
    with pytest.raises(UserError):
        open_source(path)


@pytest.mark.parametrize("blocks", range(1, 60, 3))
def test_archives_cut_at_a_block(cache: Path, tmp_path: Path, blocks: int) -> None:
    path = tmp_path / "linux.tar"
    path.write_bytes(tarball()[: 512 * blocks])
    with pytest.raises(UserError):
        open_source(path)


@pytest.mark.parametrize("content", [b"", b"hello\n", bytes(10240)])
def test_what_is_no_archive(cache: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UserError):
        open_source(path)


def test_a_source_package(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "kernel.src.rpm"
    files = (
        File("kernel.spec", b"Name: kernel\n", flags=1 << 5),
        File("linux-2.4.99.tar.gz", gzip.compress(tarball())),
    )
    path.write_bytes(write(Recipe(files=files)))
    assert open_source(path).digest == tree_digest(SMALL)


def test_a_source_package_with_patches_is_refused(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "kernel.src.rpm"
    files = (
        File("kernel.spec", b"Name: kernel\n", flags=1 << 5),
        File("linux-2.4.99.tar.bz2", bz2.compress(tarball())),
        File("linux-2.4.99-fix.patch", b"--- a\n+++ b\n"),
    )
    path.write_bytes(write(Recipe(files=files)))
    with pytest.raises(UserError, match="has 1 patches") as error:
        open_source(path)
    assert "rpmbuild -bp" in error.value.hint


def test_a_source_package_of_something_else(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "ham.src.rpm"
    path.write_bytes(write(Recipe()))
    with pytest.raises(UserError, match="holds 0 tarballs"):
        open_source(path)


def test_a_kernel_source_package(cache: Path, tmp_path: Path) -> None:
    paths = [path for path in sorted(SMALL.rglob("*")) if path.is_file()]
    top = "/usr/src/linux-2.4.99"
    files = tuple(
        File(
            f"{top}/{path.relative_to(SMALL)}",
            path.read_bytes(),
            0o100755 if path.stat().st_mode & 0o100 else 0o100644,
        )
        for path in paths
    )
    package = tmp_path / "kernel-source.rpm"
    package.write_bytes(write(Recipe(source=False, files=(*files, File("/usr/share/doc/x", b"x")))))
    assert open_source(package).digest == tree_digest(SMALL)


def test_digest_sees_names_contents_modes_and_links(tmp_path: Path) -> None:
    seen = {tree_digest(tmp_path)}
    path = tmp_path / "file"
    steps: list[Callable[[], object]] = [
        lambda: path.write_text("a"),
        lambda: path.write_text("b"),
        lambda: path.chmod(0o755),
        lambda: path.rename(tmp_path / "other"),
        lambda: (tmp_path / "link").symlink_to("other"),
    ]
    for number, step in enumerate(steps, 2):
        step()
        seen.add(tree_digest(tmp_path))
        assert len(seen) == number


def test_a_digest_is_remembered_until_a_file_changes(cache: Path, tmp_path: Path) -> None:
    root = tmp_path / "linux"
    shutil.copytree(SMALL, root)
    first = remembered_digest(root)
    assert first == tree_digest(root)
    assert [path.read_text() for path in (cache / "digests").iterdir()] == [first]
    assert remembered_digest(root) == first
    (root / "mm" / "vmscan.c").write_text("changed\n")
    assert remembered_digest(root) == tree_digest(root) != first


def test_many_inventories_are_those_of_each(tmp_path: Path) -> None:
    roots = [tmp_path / f"tree {number}\n" for number in range(9)]
    for root in roots:
        (root / "mm").mkdir(parents=True)
        (root / "mm" / "two\nlines.c").write_text(root.name)
        (root / "a\tb").write_text("x")
    together = inventories([*roots, roots[0]])
    assert [together[root] for root in roots] == [inventories([root])[root] for root in roots]
    assert len(set(together.values())) == len(roots)  # an inode is in no two trees
    assert inventories([]) == {}


@pytest.mark.parametrize("edit", ["content", "mode", "name", "link", "new file"])
def test_an_inventory_knows_every_edit(tmp_path: Path, edit: str) -> None:
    file, link = tmp_path / "file.c", tmp_path / "link"
    file.write_text("old")
    os.utime(file, (1, 1))
    link.symlink_to("file.c")
    before = inventories([tmp_path])[tmp_path]
    if edit == "content":
        file.write_text("new")
        os.utime(file, (1, 1))  # as a tool that preserves times leaves it
    elif edit == "mode":
        file.chmod(0o755)
    elif edit == "name":
        file.rename(tmp_path / "other.c")
    elif edit == "link":
        link.unlink()
        link.symlink_to("nowhere")
    else:
        (tmp_path / "added").touch()
    assert inventories([tmp_path])[tmp_path] != before
