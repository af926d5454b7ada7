"""Trees of other machines: what keeps them from compiling for i386, patched or not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hamkit.kernel.facts import probe

from .test_kernel_facts import SMALL


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SMALL, tmp_path / "linux"))


def test_a_type_that_i386_lacks(tree: Path) -> None:
    assert probe(tree).unbuildable == ()
    with (tree / "include/linux/mm.h").open("a") as header:
        header.write("extern int remap(unsigned long from, phys_addr_t to);\n")
    assert probe(tree).unbuildable == (
        "include/linux/mm.h uses phys_addr_t, which no header of i386 defines",
    )
    assert probe(tree).unsupported == ()
    with (tree / "include/asm-i386/page.h").open("a") as header:
        header.write("typedef unsigned long phys_addr_t;\n")
    assert probe(tree).unbuildable == ()


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("\t*IXP425_GPIO_GPOER |= 0x10;\n", "IXP425_GPIO_GPOER"),
        ("#ifdef CONFIG_ARM\n\t*IXP425_GPIO_GPOER |= 0x10;\n#endif\n", "none"),
        ("#define LED_PORT pointer\n\t*LED_PORT = 1;\n", "none"),
        ("\tif (*IXP425_GPIO_GPOER == 1) ;\n", "none"),
    ],
)
def test_a_register_of_another_machine(tree: Path, code: str, name: str) -> None:
    (tree / "init").mkdir(exist_ok=True)
    (tree / "init/main.c").write_text(f"static int init(void * unused)\n{{\n{code}}}\n")
    assert probe(tree)["board_register"] == name
    assert bool(probe(tree).unbuildable) is (name != "none")


def test_a_register_that_a_header_of_i386_defines(tree: Path) -> None:
    (tree / "init").mkdir(exist_ok=True)
    (tree / "init/main.c").write_text("int f(void)\n{\n\t*BOARD_LED |= 1;\n}\n")
    assert probe(tree)["board_register"] == "BOARD_LED"
    (tree / "include/asm-i386/board.h").write_text("#define BOARD_LED\t((volatile int *)0x80)\n")
    assert probe(tree).unbuildable == ()


@pytest.mark.parametrize("header", ["include/asm-i386/ioctls.h", "include/linux/fs.h"])
def test_an_ioctl_that_i386_does_not_number(tree: Path, header: str) -> None:
    (tree / "fs").mkdir(exist_ok=True)
    code = "int f(int c)\n{\n\tswitch (c) {\n%s\t}\n}\n"
    (tree / "fs/ioctl.c").write_text(code % "#ifdef CONFIG_ARM\n\t\tcase FIOQSIZE:\n#endif\n")
    assert probe(tree).unbuildable == ()
    (tree / "fs/ioctl.c").write_text(code % "\t\tcase FIOQSIZE:\n")
    assert probe(tree).unbuildable == ("fs/ioctl.c uses FIOQSIZE, which no header of i386 defines",)
    with (tree / header).open("a") as file:
        file.write("#define FIOQSIZE\t0x5460\n")
    assert probe(tree).unbuildable == ()
