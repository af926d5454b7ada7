"""What of a compiler's and make's words is quoted when a 2.4 kernel does not build, and what is no image."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from hamkit.build.kernel24.build import QUOTED, check_image, faults
from hamkit.errors import Failure

PASSED_ON = (
    "make[3]: *** [/tree/Rules.make:57: piix.o] Error 1\nmake: *** [Makefile:285: _dir_drivers] Error 2\n"
)


def test_an_old_compiler_writes_no_error() -> None:
    said = "piix.c: In function `ide_init_piix':\npiix.c:504: structure has no member named `irq'\n"
    assert faults(said + PASSED_ON) == ["piix.c:504: structure has no member named `irq'"]


def test_warnings_and_what_only_repeats_are_left_out() -> None:
    said = (
        "setup.S:549: Warning: indirect lcall without `*'\n"
        "exec.c:12: warning: unused variable `x'\n"
        "exec.c:964: `i' undeclared (first use in this function)\n"
        "exec.c:964: (Each undeclared identifier is reported only once\n"
        "exec.c:964: for each function it appears in.)\n"
    )
    assert faults(said + PASSED_ON) == ["exec.c:964: `i' undeclared (first use in this function)"]


def test_linker_assembler_and_missing_rules() -> None:
    lines = [
        "binfmt_elf.c:(.text+0x16bca): undefined reference to `get_task_registers'",
        "{standard input}:31: Error: suffix or operands invalid for `mov'",
        "make[4]: *** No rule to make target '/freeswan/Makefile'.  Stop.",
    ]
    assert faults("\n".join(lines) + "\n" + PASSED_ON) == lines


def test_make_alone_and_nothing_known() -> None:
    assert faults(PASSED_ON) == PASSED_ON.splitlines()
    assert faults("killed\n") == ["killed"]
    assert len(faults("a.c:1: parse error\n" * 50)) == QUOTED


@pytest.mark.parametrize("content", [b"", gzip.compress(bytes(4096)), bytes(0x202) + b"HdrX"])
def test_an_image_that_no_loader_knows(tmp_path: Path, content: bytes) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(content)
    with pytest.raises(Failure, match="no setup header"):
        check_image(image)


def test_an_image_with_a_setup_header(tmp_path: Path) -> None:
    image = tmp_path / "bzImage"
    image.write_bytes(bytes(0x202) + b"HdrS" + bytes(100))
    check_image(image)
