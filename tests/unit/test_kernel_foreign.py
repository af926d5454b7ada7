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


def test_an_ioctl_that_i386_does_not_number(tree: Path) -> None:
    (tree / "fs").mkdir(exist_ok=True)
    (tree / "fs/ioctl.c").write_text("int f(int c)\n{\n\tswitch (c) {\n\t\tcase FIOQSIZE:\n\t}\n}\n")
    assert probe(tree).unbuildable == ("fs/ioctl.c uses FIOQSIZE, which asm-i386/ioctls.h does not define",)
    (tree / "include/asm-i386/ioctls.h").write_text("#define FIOQSIZE\t0x5460\n")
    assert probe(tree).unbuildable == ()
