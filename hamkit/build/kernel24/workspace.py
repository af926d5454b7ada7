"""The copy of a tree that is built in, and the tools that its makefiles meet there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from hamkit.build.kernel24.toolchain import Toolchain
from hamkit.files import project_root
from hamkit.kernel.csource import ENCODING
from hamkit.run import SYSTEM_PATH, run

TOOLS = project_root() / "templates" / "config24" / "tools"
STAMPS = ("date", "whoami", "hostname", "dnsdomainname", "domainname")
PREFIX = "i386-"
COMPILER = re.compile(r"^CC[ \t]*[:?]?=[ \t]*\$\(CROSS_COMPILE\)([\w.+-]+)", re.MULTILINE)
BINARY = (b"\x7fELF", b"!<arch>\n")
# Made by an earlier configuration or build; stale ones break the next.
MADE = (
    ".config",
    ".config.old",
    ".version",
    ".name",
    ".depend",
    ".hdepend",
    "vmlinux",
    "System.map",
    "include/asm",
    "include/config",
    "include/linux/autoconf.h",
    "include/linux/compile.h",
    "include/linux/modules",
    "include/linux/modversions.h",
    "include/linux/version.h",
)
HEADERS = ("asm-i386", "asm-generic", "asm-x86_64")  # late trees' asm-i386 has one of x86_64
EPOCH = 1003881600  # the day of 2.4.13: the moment that every kernel says it was built at


def copy_tree(root: Path, target: Path) -> None:
    """Copy what an i386 build reads: no documentation, no other architectures, nothing built before.

    All times are the same: a tree that was copied or cloned has its generated sources (``*_shipped``,
    ``defkeymap.c``) in any order of age, and make would want the programs of their time to make them anew.
    """
    for source in _wanted(root):
        copy_part(source, target / source.relative_to(root))
    for folder in (root / "arch").glob("**/"):  # empty: `make dep` wants every -I of a driver to be there
        (target / folder.relative_to(root)).mkdir(parents=True, exist_ok=True)
    for name in MADE:
        _remove(target / name)
    for path in target.rglob("*"):
        if path.suffix in (".o", ".a", ".flags") or path.name == ".depend" or _is_binary(path):
            _remove(path)
    for path in (target / "scripts").rglob("*"):
        _runnable(path)
    for path in target.rglob("*"):
        os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)


def copy_part(source: Path, place: Path) -> None:
    """Copy a file or folder with its times, which make goes by; a name that is not there is left out."""
    if source.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        run(["cp", "-a", "--reflink=auto", "--no-preserve=ownership", source, place.parent])


def _wanted(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.name == "arch":
            yield path / "i386"
        elif path.name == "include":
            for below in sorted(path.iterdir()):
                if not below.name.startswith("asm-") or below.name in HEADERS:
                    yield below
        elif path.name == "Documentation":
            yield from path.glob("Configure.help")  # which a series changes
        elif path.name != ".git":
            yield path


def _is_binary(path: Path) -> bool:
    """Whether a file is a program, an object or a library: what no source holds."""
    if path.is_symlink() or not path.is_file() or path.suffix in (".c", ".h", ".S"):
        return False
    with path.open("rb") as stream:
        return stream.read(8).startswith(BINARY)


def _runnable(path: Path) -> None:
    """Give a script the executable bit back that some ways of shipping a tree lose; makefiles rely on it."""
    if path.is_file() and not path.is_symlink():
        with path.open("rb") as stream:
            if stream.read(2) == b"#!":
                path.chmod(path.stat().st_mode | 0o111)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.is_file() or path.is_symlink():
        path.unlink()


def compilers(tree: Path) -> frozenset[str]:
    """What a tree's makefile may call its compiler: vendors have ``gcc32`` and the like."""
    return frozenset({"gcc", *COMPILER.findall((tree / "Makefile").read_text(encoding=ENCODING))})


def make_tools(folder: Path, toolchain: Toolchain, names: frozenset[str] = frozenset({"gcc"})) -> None:
    """Fill a folder with the programs that go first on the path: the compiler, by these names, binutils, and
    pinned stamps."""
    gnu = folder / "gnu"
    gnu.mkdir(parents=True)
    for name in ("as", "ld"):
        shutil.copy2(TOOLS / name, gnu / name)
        shutil.copy2(TOOLS / name, folder / f"{PREFIX}{name}")
    for name in names:
        shutil.copy2(TOOLS / "cc", folder / f"{PREFIX}{name}")
    for name in ("gzip", "genksyms"):
        shutil.copy2(TOOLS / name, folder / name)
    for name in STAMPS:
        shutil.copy2(TOOLS / "stamp", folder / name)
    for name, path in toolchain.binutils:
        (folder / f"{PREFIX}{name}").symlink_to(path)


def environment(tools: Path, tree: Path, toolchain: Toolchain, dropped: tuple[str, ...]) -> dict[str, str]:
    """What the tools and the makefiles read from the environment."""
    return {
        "PATH": f"{tools}:{SYSTEM_PATH}",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": str(EPOCH),
        "HAM_TOOLS": str(tools),
        "HAM_TOP": str(tree),
        "HAM_CC": str(toolchain.cc),
        "HAM_AS": str(toolchain.assembler),
        "HAM_AS_FLAGS": toolchain.assembler_flags,
        "HAM_LD": str(toolchain.linker),
        "HAM_SEGMENT": "yes" if toolchain.segment else "",
        "HAM_DROP": " ".join(dropped),
        "HAM_SHIMS": str(tools / "shims"),
    }


def tools_digest_text() -> str:
    """All of the tools' text, for the key of a build."""
    return "".join(path.read_text(encoding="utf-8") for path in sorted(TOOLS.iterdir()))
