"""The tools around a 2.4 build: found by asking, made to leave no trace of time and place."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit.build.kernel24.toolchain import (
    Toolchain,
    debug_flags,
    find_toolchain,
    known_toolchains,
    left_out_flags,
)
from hamkit.build.kernel24.workspace import compilers, copy_tree, environment, make_tools
from hamkit.errors import MissingNeed, UserError
from hamkit.files import project_root
from hamkit.kernel.probes.toolchain import plain_flags
from hamkit.run import Completed, run
from tests.unit.old_compiler import compiler

SMALL = project_root() / "tests" / "data" / "kernel" / "small24"


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    if shutil.which("as") is None:
        pytest.skip("no assembler: apt-get install binutils")
    return find_toolchain(str(compiler(tmp_path / "old" / "bin")))


def test_nothing_installed(cache: Path) -> None:
    assert known_toolchains() == ()
    with pytest.raises(MissingNeed, match="no compiler for Linux 2") as error:
        find_toolchain()
    assert str(cache / "toolchains") in error.value.hint


def test_found_by_name_by_path_and_by_itself(cache: Path, toolchain: Toolchain) -> None:
    compiler(cache / "toolchains" / "gcc-2.95.3" / "bin")
    assert known_toolchains() == ("gcc-2.95.3",)
    assert find_toolchain("gcc-2.95.3").cc == find_toolchain().cc
    assert find_toolchain().version == "2.95.3"
    assert find_toolchain(str(toolchain.cc.parent.parent)).cc == toolchain.cc


def test_the_oldest_is_taken(cache: Path) -> None:
    compiler(cache / "toolchains" / "a" / "bin", version="3.2.3")
    compiler(cache / "toolchains" / "b" / "bin", version="2.95.3")
    assert find_toolchain().name == "b"


def test_unknown_name(cache: Path) -> None:
    compiler(cache / "toolchains" / "gcc-2.95.3" / "bin")
    with pytest.raises(UserError, match="there is no toolchain gcc-9") as error:
        find_toolchain("gcc-9")
    assert "gcc-2.95.3" in error.value.hint


@pytest.mark.parametrize(
    ("version", "machine"), [("12.2.0", "i386-linux"), ("2.95.3", "x86_64-linux"), ("", "")]
)
def test_compilers_that_are_not_for_24(tmp_path: Path, version: str, machine: str) -> None:
    compiler(tmp_path / "bin", version=version, machine=machine)
    with pytest.raises(UserError, match=r"holds no compiler for Linux 2\.4: i386-gcc is"):
        find_toolchain(str(tmp_path))


def test_flags_that_the_compiler_does_not_know(toolchain: Toolchain, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(SMALL, tmp_path / "linux"))
    assert left_out_flags(toolchain, tree) == ()
    with (tree / "arch/i386/Makefile").open("a") as makefile:
        makefile.write("CFLAGS+=-freorder-blocks \\\n\t-fno-common\n")
    assert left_out_flags(toolchain, tree) == ("-freorder-blocks",)


def test_flags_that_tell_where_it_was_built_are_left_out(tmp_path: Path) -> None:
    tree = Path(shutil.copytree(SMALL, tmp_path / "linux"))
    assert debug_flags(tree) == ()
    with (tree / "Makefile").open("a") as makefile:
        makefile.write("ifdef CONFIG_DEBUG_INFO\nCFLAGS += -g \\\n\t-gstabs+ -O2\nAFLAGS\t+= -ggdb3\nendif\n")
        makefile.write("CFLAGS_x.o = -gnu -fno-g\ninstall:\n\tinstall -g root x\n")
    assert debug_flags(tree) == ("-g", "-ggdb3", "-gstabs+")


def test_flags_that_the_makefile_tries_itself_are_left_alone() -> None:
    asked = "A := -fx\nCFLAGS += $(call check_gcc,-fa,)\nCFLAGS += $(shell echo -fc)\n"
    assert plain_flags(asked + "CFLAGS := -O2 \\\n\t-fb $(X)\n") == (("-fb", 4),)


def test_a_copy_without_what_was_built(tmp_path: Path) -> None:
    tree = Path(shutil.copytree(SMALL, tmp_path / "linux"))
    for name in (
        "mm/memory.o",
        "vmlinux",
        ".config",
        "mm/.depend",
        "include/linux/version.h",
        "mm/.x.o.flags",
    ):
        (tree / name).write_text("stale")
    (tree / "scripts").mkdir()
    (tree / "scripts" / "mkdep").write_bytes(b"\x7fELF...")
    (tree / "scripts" / "keep.sh").write_text("#!/bin/sh\n")
    (tree / "include" / "asm").symlink_to("asm-i386")
    kept = ("include/asm-generic/x.h", "include/asm-x86_64/x.h")
    for name in ("arch/alpha/x.c", "include/asm-alpha/x.h", "Documentation/x.txt", *kept):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).write_text("x")
    before = {path: path.lstat().st_mtime_ns for path in tree.rglob("*")}
    copy_tree(tree, tmp_path / "copy")
    names = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*")}
    original = {path.relative_to(SMALL).as_posix() for path in SMALL.rglob("*")}
    extra = {"scripts", "scripts/keep.sh", "arch/alpha", *kept, *(str(Path(name).parent) for name in kept)}
    assert names == original | extra
    assert {path: path.lstat().st_mtime_ns for path in tree.rglob("*")} == before


def test_scripts_that_lost_their_executable_bit_get_it_back_in_the_copy(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(SMALL, tree)
    (tree / "scripts").mkdir()
    for name, text in (("mkdep.pl", "#!/usr/bin/perl\n"), ("mkdep.c", "int main(void);\n")):
        (tree / "scripts" / name).write_text(text)
        (tree / "scripts" / name).chmod(0o644)
    copy_tree(tree, tmp_path / "copy")
    modes = {
        name: (tmp_path / "copy" / "scripts" / name).stat().st_mode & 0o777
        for name in ("mkdep.pl", "mkdep.c")
    }
    assert modes == {"mkdep.pl": 0o755, "mkdep.c": 0o644}
    assert (tree / "scripts" / "mkdep.pl").stat().st_mode & 0o111 == 0


def test_generated_sources_are_no_older_than_what_they_are_made_of(tmp_path: Path) -> None:
    tree = Path(shutil.copytree(SMALL, tmp_path / "tree"))
    for name, age in (("mm/keys.map", 0), ("mm/keys.c", 9)):
        (tree / name).write_text("keys\n")
        os.utime(tree / name, (2_000_000_000 - age,) * 2)
    (tree / "Makefile").write_text("all: mm/keys.c\nmm/keys.c: mm/keys.map\n\tloadkeys $< > $@\n")
    copy_tree(tree, tmp_path / "copy")
    run(["make", "all"], cwd=tmp_path / "copy", package="make")
    assert (tmp_path / "copy" / "mm" / "keys.c").read_text() == "keys\n"


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("CC\t\t= $(CROSS_COMPILE)gcc", {"gcc"}),
        ("CC = $(CROSS_COMPILE)gcc32\n#CC = $(CROSS_COMPILE)gcc33", {"gcc", "gcc32"}),
        ("CC := $(CROSS_COMPILE)kgcc -V egcs", {"gcc", "kgcc"}),
    ],
)
def test_compilers_go_by_the_makefiles_name(tmp_path: Path, line: str, names: set[str]) -> None:
    (tmp_path / "Makefile").write_text(f"AS = as\n{line}\n")
    assert compilers(tmp_path) == names


def use(
    toolchain: Toolchain, folder: Path, *argv: str, data: bytes | None = None, cwd: Path | None = None
) -> Completed:
    """Run a tool the way make does."""
    top = folder / "linux"
    top.mkdir(exist_ok=True)
    if not (folder / "tools").exists():
        make_tools(folder / "tools", toolchain)
    env = environment(folder / "tools", top, toolchain, ("-freorder-blocks",))
    return run(["env", *argv], env=env, data=data, cwd=cwd or top)


def test_paths_into_the_tree_become_relative(toolchain: Toolchain, tmp_path: Path) -> None:
    top = tmp_path / "linux"
    below = top / "drivers" / "net"
    below.mkdir(parents=True)
    argv = ["i386-gcc", f"-I{top}/include", "-freorder-blocks", "-c", f"{top}/a b.c", "-I/usr/include"]
    said = use(toolchain, tmp_path, *argv, cwd=below).stdout.splitlines()
    assert said[1:] == ["-I./../../include", "-c", "./../../a b.c", "-I/usr/include"]
    assert use(toolchain, tmp_path, *argv).stdout.splitlines()[1] == "-I./include"


def test_versions_of_symbols_change_with_what_is_declared(toolchain: Toolchain, tmp_path: Path) -> None:
    def versions(text: str, *flags: str) -> dict[str, str]:
        said = use(toolchain, tmp_path, "genksyms", *flags, "-k", "2.4.13", data=text.encode()).stdout
        assert "#define printk\t_set_ver(printk)" in said.splitlines()
        return dict(line.split()[1:] for line in said.splitlines() if "__ver_" in line)

    source = '# 1 "a.c"\nint printk(const char *);\nEXPORT_SYMBOL(printk); EXPORT_SYMBOL(other);\n'
    first = versions(source)
    assert set(first) == {"__ver_printk", "__ver_other"}
    assert all(re.fullmatch("[0-9a-f]{8}", value) for value in first.values())
    assert len(set(first.values())) == 2
    assert versions(source.replace("# 1", "# 9").replace(" ", "  ")) == first
    assert versions(source.replace("int ", "long "))["__ver_printk"] != first["__ver_printk"]
    assert versions(source, "-p", "smp_")["__ver_other"] == "smp_" + first["__ver_other"]
    known = tmp_path / "linux" / "include" / "linux" / "modules"
    known.mkdir(parents=True)
    (known / "b.ver").write_text("#define __ver_other\t12345678\n#define other\t_set_ver(other)\n")
    assert versions(source) == {**first, "__ver_other": "12345678"}


def test_a_section_may_get_its_attributes_later(toolchain: Toolchain, tmp_path: Path) -> None:
    text = b'\t.section .modinfo\n\t.previous\n\t.section .modinfo,"a",@progbits\n\t.string "author=x"\n'
    use(toolchain, tmp_path, "i386-as", "-o", "m.o", "-", data=text)
    assert "author=x" in run(["objdump", "-s", "-j", ".modinfo", tmp_path / "linux" / "m.o"]).stdout


def test_segment_moves_are_assembled(toolchain: Toolchain, tmp_path: Path) -> None:
    text = b"\tmovl %fs,4(%eax)\n\tmovl 8(%ebx),%gs\n\tmovl %eax,%ds\n\tmovl %eax,%ebx\n"
    use(toolchain, tmp_path, "i386-as", "-o", "x.o", "-", data=text)
    (tmp_path / "linux" / "y.s").write_bytes(
        text.replace(b"movl %fs", b"mov %fs").replace(b"movl 8", b"mov 8")
    )
    use(replace(toolchain, segment=False), tmp_path, "HAM_SEGMENT=", "i386-as", "-o", "y.o", "y.s")
    first, second = (
        run(["objdump", "-d", tmp_path / "linux" / name]).stdout.split("\n", 3)[3] for name in ("x.o", "y.o")
    )
    assert first == second
    assert "%gs" in first


def test_stamps_are_pinned(toolchain: Toolchain, tmp_path: Path) -> None:
    assert use(toolchain, tmp_path, "date").stdout == "Wed Oct 24 00:00:00 UTC 2001\n"
    assert use(toolchain, tmp_path, "date", "+%T").stdout == "00:00:00\n"
    assert use(toolchain, tmp_path, "whoami").stdout == "ham\n"
    assert use(toolchain, tmp_path, "hostname").stdout == "hamkit\n"
    assert use(toolchain, tmp_path, "dnsdomainname").stdout == "localdomain\n"


def test_exit_code_is_kept_only_when_the_linker_asks(toolchain: Toolchain, tmp_path: Path) -> None:
    kept = "SECTIONS { .text : { *(.text) }\n .text.init : { *(.text.init) }\n"
    script = kept + " /DISCARD/ : {\n\t*(.text.exit)\n\t} }\n"
    (tmp_path / "linux").mkdir()
    (tmp_path / "linux" / "x.lds").write_text(script)
    shims = tmp_path / "tools" / "shims"
    plain = b'.text\n.globl _start\n_start: ret\n.section .text.exit,"ax"\nleave: ret\n'
    use(toolchain, tmp_path, "i386-as", "-o", "plain.o", "-", data=plain)
    use(toolchain, tmp_path, "i386-ld", "-T", "x.lds", "-o", "plain", "plain.o")
    assert not shims.exists()
    use(toolchain, tmp_path, "i386-as", "-o", "lock.o", "-", data=plain + b".text\njmp leave\n")
    use(toolchain, tmp_path, "i386-ld", "-T", "x.lds", "-o", "lock", "lock.o")
    assert shims.read_text() == "text.exit\n"
    assert (tmp_path / "linux" / "x.lds").read_text() == script


def test_tools_are_all_there(toolchain: Toolchain, tmp_path: Path) -> None:
    make_tools(tmp_path / "tools", toolchain)
    for path in (tmp_path / "tools").rglob("*"):
        assert path.is_dir() or os.access(path, os.X_OK), path
