"""The CD that boots a 2.4 kernel, and the machine for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.prove.initramfs import Node, character_device, file, folder, link, program
from hamkit.prove.iso import KERNEL, LOADER, Disc, DiscMachine, write_iso
from hamkit.run import run

MIB = 1 << 20


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Not a kernel: nothing here boots it."""
    for package, places in (*LOADER, ("xorriso", (shutil.which("xorriso") or "",))):
        if not any(place and Path(place).is_file() for place in places):
            pytest.skip(f"no {package}: apt-get install {package}")
    path = tmp_path / "bzImage"
    path.write_bytes(b"kernel\n" * 1000)
    return path


def listing(iso: Path) -> list[str]:
    said = run(["xorriso", "-indev", iso, "-find", "/", "-exec", "lsdl"], package="xorriso").stdout
    return [line for line in said.splitlines() if line[:1] in "dl-"]


def test_what_is_on_the_disc(cache: Path, kernel: Path, tmp_path: Path) -> None:
    files = {
        "/sbin/init": program(b"init"),
        "etc/motd": file(b"hi\n"),
        "/proc": folder(),
        "/bin/sh": link("x"),
    }
    iso = write_iso(Disc(kernel, "quiet", files), tmp_path / "out" / "a.iso")
    lines = listing(iso)
    modes = {line.rsplit("'", 2)[1]: line[:10] for line in lines if " -> " not in line}
    assert modes["/sbin/init"] == "-rwxr-xr-x"
    assert modes["/etc/motd"] == "-rw-r--r--"
    assert modes["/proc"] == "drwxr-xr-x"
    assert f"/isolinux/{KERNEL}" in modes
    assert [line for line in lines if "'/bin/sh' -> 'x'" in line]
    assert list((tmp_path / "out").iterdir()) == [iso]


def test_the_same_bytes_at_any_time(cache: Path, kernel: Path, tmp_path: Path) -> None:
    first = write_iso(Disc(kernel, "quiet", {"/init": program(b"x")}, b"initrd"), tmp_path / "a.iso")
    kernel.touch()
    second = write_iso(Disc(kernel, "quiet", {"/init": program(b"x")}, b"initrd"), tmp_path / "b.iso")
    assert first.read_bytes() == second.read_bytes()
    assert b"append quiet\n" in first.read_bytes()
    assert b"initrd initrd\n" in first.read_bytes()


@pytest.mark.parametrize(
    ("path", "node", "words"),
    [
        ("/dev/console", character_device(5, 1), "is a device"),
        ("/../evil", file(b""), "not a free path"),
        ("/", folder(), "not a free path"),
        ("/isolinux/vmlinuz", file(b""), "not a free path"),
    ],
)
def test_what_cannot_be_on_it(
    cache: Path, kernel: Path, tmp_path: Path, path: str, node: Node, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        write_iso(Disc(kernel, "", {path: node}), tmp_path / "a.iso")
    assert not (tmp_path / "a.iso").exists()


def test_a_command_line_that_would_be_cut(cache: Path, kernel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="more than 255 bytes"):
        write_iso(Disc(kernel, "x" * 256), tmp_path / "a.iso")


def test_no_kernel(cache: Path, kernel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no kernel image"):
        write_iso(Disc(tmp_path / "none", ""), tmp_path / "a.iso")


def test_the_machine() -> None:
    machine = DiscMachine(
        Path("a,b.iso"), 1536 * MIB, Path("c"), Path("r"), cpus=2, slots=4, largest=8192 * MIB
    )
    words = " ".join(machine.argv(Path("qmp")))
    for wanted in (
        "-cpu pentium3 -m 1572864k,slots=4,maxmem=8388608k",
        "-smp 2,sockets=2,cores=1,threads=1",
        "file=a,,b.iso,if=ide,index=2,media=cdrom",
        "socket,id=control,path=qmp",
        "tcg,thread=multi",
    ):
        assert wanted in words
    assert "-mon" not in machine.argv()
