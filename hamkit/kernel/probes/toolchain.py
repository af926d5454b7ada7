"""What a tree needs of current tools: for the build, never for the patch."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Tree
from hamkit.kernel.probing import Probe, Seen

BOOT = "arch/i386/boot/Makefile"
LDS = ("arch/i386/vmlinux.lds", "arch/i386/vmlinux.lds.S", "arch/i386/vmlinux.lds.in")
MAKEFILES = ("Makefile", "arch/i386/Makefile")
GCC3_FLAGS = ("-fno-delete-null-pointer-checks", "-freorder-blocks")
CFLAGS_LINE = re.compile(r"^CFLAGS[ \t]*[+:]?=(?:[^\\\n]|\\\n|\\.)*", re.MULTILINE)
ASKED = re.compile(r"\$\((?:shell|call|if)\b")  # what the makefile tries on the compiler first
FLAG = re.compile(r"(?<=[\s=])-f[\w=-]+")
# The two files in which gas of today refuses movl with a segment register and memory.
MOVES = ("arch/i386/kernel/process.c", "arch/i386/kernel/signal.c")


def segment_moves(tree: Tree) -> Seen:
    for name in MOVES:
        found = tree.source(name).search(r"\bmovl\s+%%[defgs]s\s*,")
        if found:
            return Seen.at(True, found)
    return Seen(False, MOVES[0])


def one_dash_oformat(tree: Tree) -> Seen:
    return Seen.whether(tree.source(BOOT).search(r"\s-oformat\b"), BOOT)


def discarded_exit(tree: Tree) -> Seen:
    """Whether .text.exit is discarded while one shared section holds everybody's out-of-line locks."""
    lock = tree.source("include/asm-i386/spinlock.h").search(r"\.section \.text\.lock,")
    for name in LDS:
        found = tree.source(name).search(r"^\s*\*\(\.text\.exit\)")
        if found and lock:
            return Seen.at(True, found)
    return Seen(False, LDS[0])


def search_dirs(tree: Tree) -> Seen:
    for name in MAKEFILES:
        match = re.search(r"-print-search-dirs", tree.text(name))
        if match:
            return Seen(True, name, tree.text(name).count("\n", 0, match.start()) + 1)
    return Seen(False, MAKEFILES[0])


def plain_flags(text: str) -> tuple[tuple[str, int], ...]:
    """Optimisation flags that a makefile gives every compiler unasked, each with its line."""
    found = []
    for match in CFLAGS_LINE.finditer(text):
        if not ASKED.search(match.group()):
            line = text.count("\n", 0, match.start()) + 1
            found += [(flag, line) for flag in FLAG.findall(match.group())]
    return tuple(found)


def gcc3_flags(tree: Tree) -> Seen:
    for name in MAKEFILES:
        for flag, line in plain_flags(tree.text(name)):
            if flag in GCC3_FLAGS:
                return Seen(True, name, line)
    return Seen(False, MAKEFILES[1])


def built_objects(tree: Tree) -> Seen:
    """Whether the tree holds objects of an earlier build."""
    for name in ("kernel/sched.o", "mm/memory.o", "init/main.o", "vmlinux"):
        if tree.has(name):
            return Seen(True, name)
    return Seen(False, "kernel/sched.o")


PROBES = (
    Probe("segment_moves", "movl with a segment register", segment_moves),
    Probe("one_dash_oformat", "-oformat with one dash", one_dash_oformat),
    Probe("discarded_exit", ".text.exit discarded, locks shared", discarded_exit),
    Probe("search_dirs", "make dep asks -print-search-dirs", search_dirs),
    Probe("gcc3_flags", "flags that only gcc 3 knows", gcc3_flags),
    Probe("built_objects", "objects checked in", built_objects),
)
