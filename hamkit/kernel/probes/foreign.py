"""What common code of a tree that was made for another machine needs, and i386 does not have."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Tree
from hamkit.kernel.probing import Probe, Seen

START = "init/main.c"
MM = "include/linux/mm.h"
IOCTL = "fs/ioctl.c"
IOCTLS = "include/asm-i386/ioctls.h"
PHYS_ADDR = ("include/linux/types.h", *(f"include/asm-i386/{name}.h" for name in ("types", "mmu", "page")))
NONE = "none"


def phys_addr(tree: Tree) -> Seen:
    """Whether i386 has the phys_addr_t that a vendor's common header uses."""
    used = tree.source(MM).search(r"\bphys_addr_t\b")
    if used is None:
        return Seen("unused", MM)
    for name in PHYS_ADDR:
        found = tree.source(name).search(r"\btypedef\b[^;]*\bphys_addr_t\b|<asm-generic/mmu\.h>")
        if found:
            return Seen.at("defined", found)
    return Seen.at("missing", used)


def board_register(tree: Tree) -> Seen:
    """A device register of another machine that common code writes to, whatever the configuration."""
    source, depth = tree.source(START), 0
    for line, text in enumerate(source.code.splitlines(), 1):
        directive = re.match(r"[ \t]*#[ \t]*(if|endif)", text)
        if directive:
            depth += 1 if directive[1] == "if" else -1
        written = re.search(r"\*\s*([A-Z][A-Z0-9]*_[A-Z0-9_]+)\s*[|&^]?=(?!=)", text)
        if written and depth == 0 and not source.macro(written[1]):
            return Seen(written[1], START, line)
    return Seen(NONE, START)


def ioctl_name(tree: Tree) -> Seen:
    """A number of the file system's ioctls that only other architectures define."""
    for found in tree.source(IOCTL).all(r"\bcase\s+FIO\w+\s*:"):
        name = found.text.removeprefix("case").strip(": \t\n")
        if tree.source(IOCTLS).macro(name) is None:
            return Seen.at(name, found)
    return Seen(NONE, IOCTL)


PROBES = (
    Probe("phys_addr", "phys_addr_t for i386", phys_addr),
    Probe("board_register", "device register that init/main.c writes", board_register),
    Probe("ioctl_name", "ioctl that i386 does not number", ioctl_name),
)
