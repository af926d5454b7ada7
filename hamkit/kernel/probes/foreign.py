"""What common code of a tree that was made for another machine needs, and i386 does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamkit.kernel.csource import Source, Tree
from hamkit.kernel.probing import Probe, Seen

START = "init/main.c"
MM = "include/linux/mm.h"
IOCTL = "fs/ioctl.c"
HEADERS = ("include/asm-i386", "include/linux")  # where whatever i386 has may stand, with any vendor
NONE = "none"


def phys_addr(tree: Tree) -> Seen:
    """Whether i386 has the phys_addr_t that a vendor's common header uses."""
    used = tree.source(MM).search(r"\bphys_addr_t\b")
    if used is None:
        return Seen("unused", MM)
    name = _header(tree, r"\btypedef\b[^;]*\bphys_addr_t\b|<asm-generic/mmu\.h>|\bdefine[ \t]+phys_addr_t\b")
    return Seen("defined", name) if name else Seen.at("missing", used)


def board_register(tree: Tree) -> Seen:
    """A device register of another machine that common code writes to, whatever the configuration."""
    source = tree.source(START)
    for line, text in _unconditional(source):
        written = re.search(r"\*\s*([A-Z][A-Z0-9]*_[A-Z0-9_]+)\s*[|&^]?=(?!=)", text)
        if written and not source.macro(written[1]) and not _defined(tree, written[1]):
            return Seen(written[1], START, line)
    return Seen(NONE, START)


def ioctl_name(tree: Tree) -> Seen:
    """A number of the file system's ioctls that only other architectures define."""
    source = tree.source(IOCTL)
    for line, text in _unconditional(source):
        case = re.search(r"\bcase\s+(FIO\w+)\s*:", text)
        if case and not source.macro(case[1]) and not _defined(tree, case[1]):
            return Seen(case[1], IOCTL, line)
    return Seen(NONE, IOCTL)


def _unconditional(source: Source) -> Iterator[tuple[int, str]]:
    """The numbered lines that are compiled whatever the configuration."""
    depth = 0
    for line, text in enumerate(source.code.splitlines(), 1):
        directive = re.match(r"[ \t]*#[ \t]*(if|endif)", text)
        if directive:
            depth += 1 if directive[1] == "if" else -1
        elif depth == 0:
            yield line, text


def _defined(tree: Tree, name: str) -> bool:
    return bool(_header(tree, rf"#[ \t]*define[ \t]+{name}\b"))


def _header(tree: Tree, pattern: str) -> str:
    """The first header of i386 or common to all that has the pattern, empty when none has."""
    paths = (path for folder in HEADERS for path in sorted((tree.root / folder).rglob("*.h")))
    names = (path.relative_to(tree.root).as_posix() for path in paths)
    return next((name for name in names if tree.source(name).search(pattern)), "")


PROBES = (
    Probe("phys_addr", "phys_addr_t for i386", phys_addr),
    Probe("board_register", "device register that init/main.c writes", board_register),
    Probe("ioctl_name", "ioctl that i386 does not number", ioctl_name),
)
