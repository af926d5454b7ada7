"""A kernel's tree and its compiler, packed for an image: what is in it, where, the same bytes each time."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from hamkit.build.kernel24.build import Kernel
from hamkit.build.kernel24.packed import PackedKernel, pack_kernel
from hamkit.build.kernel24.toolchain import Toolchain
from hamkit.errors import UserError
from hamkit.stage import StageResult, Verdict

TOOLS = "usr/lib/hamkit/tools24"


def script(path: Path, text: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def toolchain_at(cc: Path) -> Toolchain:
    return Toolchain(
        name="gcc-2.95.3",
        version="2.95.3",
        cc=cc,
        assembler=cc.parent / "as",
        linker=Path("/usr/bin/ld"),
        binutils=(("nm", Path("/usr/bin/nm")),),
        assembler_flags="--32",
        segment=True,
        digest="0" * 64,
    )


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    tree = tmp_path / "kernel" / "tree"
    (tree / "include" / "linux").mkdir(parents=True)
    (tree / "include" / "asm-i386").mkdir()
    (tree / "include" / "asm").symlink_to("asm-i386")
    (tree / "include" / "linux" / "version.h").write_text('#define UTS_RELEASE "2.4.13-ham"\n')
    for name in ("Makefile", "arch/i386/Makefile"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("CFLAGS := -O2\n")
    return Kernel(tmp_path / "kernel", StageResult("kernel", Verdict.PASS, 0.0))


def packed(kernel: Kernel, tmp_path: Path) -> PackedKernel:
    cc = script(tmp_path / "toolchains" / "gcc-2.95.3" / "bin" / "gcc")
    script(cc.parent / "as")
    return pack_kernel(kernel, toolchain_at(cc))


def test_tree_tools_and_compiler_have_their_places(kernel: Kernel, tmp_path: Path) -> None:
    made = packed(kernel, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(made.tar)) as tar:
        found = {member.name: member for member in tar}
    assert found["usr/src/linux-2.4/include/asm"].linkname == "asm-i386"
    compiler = made.env["HAM_CC"].lstrip("/")
    assert found[compiler].mode & 0o111
    assert found[f"{TOOLS}/i386-gcc"].mode & 0o111
    assert found[f"{TOOLS}/i386-nm"].linkname == "/usr/bin/nm"
    assert found["boot/kernel.h"].size == 0
    assert {(m.uid, m.gid, m.mtime) for m in found.values()} == {(0, 0, 0)}


def test_rpmbuild_is_told_of_it(kernel: Kernel, tmp_path: Path) -> None:
    made = packed(kernel, tmp_path)
    assert made.release == "2.4.13-ham"
    home = tmp_path / "toolchains" / "gcc-2.95.3"
    assert made.env["HAM_CC"] == str(home / "bin" / "gcc"), "where it finds its parts"
    assert made.env["HAM_AS"] == str(home / "bin" / "as")
    assert made.env["HAM_LD"] == "/usr/bin/ld"
    assert made.env["PATH"].startswith(f"/{TOOLS}:")
    assert "SOURCE_DATE_EPOCH" not in made.env, "the package's date is the source's"
    assert made.macros["kernel_tree"] == "/usr/src/linux-2.4"
    assert made.macros["kernel_release"] == "2.4.13-ham"
    assert "CROSS_COMPILE=i386-" in made.macros["kernel_make"]
    words = made.wrapped(["rpmbuild", "--rebuild", "x.src.rpm"])
    assert words[0] == "sh"
    assert words[-3:] == ["rpmbuild", "--rebuild", "x.src.rpm"]


def test_it_is_the_same_bytes_whenever_and_wherever(kernel: Kernel, tmp_path: Path) -> None:
    first = packed(kernel, tmp_path)
    for path in kernel.tree.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    assert packed(kernel, tmp_path).tar == first.tar
    assert packed(kernel, tmp_path / "elsewhere").digest == first.digest


def test_a_compiler_of_the_system_cannot_be_brought_along(kernel: Kernel) -> None:
    with pytest.raises(UserError, match="no folder of its own") as caught:
        pack_kernel(kernel, toolchain_at(Path("/usr/bin/gcc")))
    assert "toolchains/" in caught.value.hint
