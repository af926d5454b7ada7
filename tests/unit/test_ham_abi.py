"""The interface of /dev/ham: one layout for 32- and 64-bit callers, one version, old compilers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import hamkit
from hamkit.files import project_root
from hamkit.run import run

SOURCE = project_root() / "ham-src"
HEADER = SOURCE / "include" / "ham.h"

FIELDS = {
    "ham_head": ("version", "size"),
    "ham_retry": ("head", "tried", "failed"),
    "ham_count": ("head", "total", "enabled", "present", "failed"),
    "ham_range_info": ("start", "size", "attr", "status", "pad"),
    "ham_list": ("head", "entry_size", "capacity", "count", "pad", "buffer"),
    "ham_add": ("head", "start", "size", "attr", "pad"),
}
LAYOUT = {
    "ham_head": (8, 0, 4),
    "ham_retry": (16, 0, 8, 12),
    "ham_count": (24, 0, 8, 12, 16, 20),
    "ham_range_info": (24, 0, 8, 16, 17, 18),
    "ham_list": (32, 0, 8, 12, 16, 20, 24),
    "ham_add": (32, 0, 8, 16, 24, 25),
}


def compiles(source: str, tmp_path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compiles a translation unit that includes the header; nothing is run."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    path = tmp_path / "unit.c"
    path.write_text(source)
    command = ["gcc", "-Wall", "-Wextra", "-Werror", *flags, f"-I{HEADER.parent}", "-fsyntax-only", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def claims() -> str:
    """C that compiles only where every size and offset is as in LAYOUT."""
    lines = ["#include <stddef.h>", '#include "ham.h"']
    for name, (size, *offsets) in LAYOUT.items():
        lines.append(f'_Static_assert(sizeof(struct {name}) == {size}, "{name}");')
        lines += [
            f'_Static_assert(offsetof(struct {name}, {part}) == {offset}, "{name}.{part}");'
            for part, offset in zip(FIELDS[name], offsets, strict=True)
        ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("width", ["-m64", "-m32"])
def test_layout_is_the_same_for_all_callers(tmp_path: Path, width: str) -> None:
    probe = compiles("#include <stdint.h>\n", tmp_path, width, "-ffreestanding")
    if probe.returncode != 0:
        pytest.skip(f"gcc cannot compile {width}: {probe.stderr.strip()}")
    done = compiles(claims(), tmp_path, width, "-ffreestanding", "-std=gnu11")
    assert done.returncode == 0, done.stderr


def test_layout_claims_can_fail(tmp_path: Path) -> None:
    wrong = claims().replace("sizeof(struct ham_list) == 32", "sizeof(struct ham_list) == 28")
    assert "ham_list" in compiles(wrong, tmp_path, "-ffreestanding").stderr


def test_every_structure_of_the_header_is_claimed() -> None:
    assert set(re.findall(r"^struct (\w+) \{", HEADER.read_text(), re.M)) == set(LAYOUT)


@pytest.mark.parametrize("width", ["-m64", "-m32"])
def test_header_and_core_are_c89(tmp_path: Path, width: str) -> None:
    """gcc 2.95 takes neither // comments nor declarations after statements."""
    source = '#include "ham_core.h"\nstatic struct ham_core core;\nvoid *use(void);\n'
    source += "void *use(void) { return &core; }\n"
    flags = ("-ffreestanding", "-ansi", "-pedantic", "-Wno-long-long", "-Wdeclaration-after-statement")
    done = compiles(source, tmp_path, width, *flags, f"-I{SOURCE / 'core'}")
    assert done.returncode == 0, done.stderr


SHARED = sorted([*(SOURCE / "core").glob("*.c"), SOURCE / "mhp" / "mhp_range.c"])


@pytest.mark.parametrize("source", SHARED, ids=lambda p: p.stem)
def test_what_both_lines_share_divides_no_64_bit_numbers(tmp_path: Path, source: Path) -> None:
    """32-bit kernels have no __udivdi3; nor is there more of a C library than memory and string functions."""
    if shutil.which("gcc") is None or shutil.which("nm") is None:
        pytest.skip("gcc or nm is not installed: apt-get install gcc binutils libc6-dev")
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys" / "ioctl.h").write_text("#include <asm-generic/ioctl.h>\n")
    (tmp_path / "errno.h").write_text("#include <asm-generic/errno-base.h>\n")
    (tmp_path / "string.h").write_text(
        "typedef __SIZE_TYPE__ size_t;\nvoid *memset(void *, int, size_t);\n#define NULL ((void *)0)\n"
        "void *memcpy(void *, const void *, size_t);\nint strcmp(const char *, const char *);\n"
    )
    target = tmp_path / "core.o"
    includes = [f"-I{tmp_path}", *(f"-I{SOURCE / name}" for name in ("include", "core", "mhp"))]
    flags = ["-m32", "-ffreestanding", "-std=gnu89", "-O2", "-fno-pic", "-Wall", "-Werror", "-DHAM_TEST"]
    run(["gcc", *flags, *includes, "-c", source, "-o", target])
    own = {"ham_core", "ham_put", "ham_ioctl"}
    undefined = set(run(["nm", "-u", target]).stdout.split()) - {"U", "memset", "memcpy", "strcmp"}
    assert not [name for name in undefined if not name.startswith(tuple(own))]


def test_version_is_hamkits() -> None:
    assert (SOURCE / "VERSION").read_text().strip() == hamkit.__version__


def test_ioctl_numbers_are_unique() -> None:
    numbers = re.findall(r"_IOW?R?\(HAM_IOC_MAGIC, (\d+)", HEADER.read_text())
    assert len(numbers) == len(set(numbers)) == 4


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*/*.[ch]")), ids=lambda p: p.name)
def test_sources_state_their_licence_and_keep_the_style(path: Path) -> None:
    text = path.read_text()
    assert "SPDX-License-Identifier: GPL-2.0-only" in text.splitlines()[0]
    wide = [
        n
        for n, line in enumerate(text.splitlines(), 1)
        if len(line.expandtabs(8)) > 80
        and '"' not in line  # strings are not broken, so that they can be found
    ]
    assert wide == []
    assert not re.search(r"[ \t]$|^ {8}", text, re.M)
