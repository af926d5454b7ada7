"""Tells what a kernel tree is: its version, whose it is, and whether it is a 2.4 i386 tree at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import UserError
from hamkit.kernel.csource import ENCODING

NUMBER = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION)\s*:?=[ \t]*(.*?)[ \t]*$", re.MULTILINE)
NEEDED = (
    "Rules.make",
    "arch/i386/config.in",
    "arch/i386/kernel/setup.c",
    "arch/i386/mm/init.c",
    "include/asm-i386/page.h",
    "include/asm-i386/pgtable.h",
    "include/linux/mm.h",
    "include/linux/mmzone.h",
    "mm/page_alloc.c",
)
# A path, or a path and a pattern in it.
TRAITS = (
    ("reverse mapping (rmap)", "mm/rmap.c", ""),
    ("O(1) scheduler", "kernel/sched.c", r"\bsched_find_first_bit\b"),
    ("per-CPU page lists", "include/linux/mmzone.h", r"\bcpu_pages\b"),
    ("4G/4G split", "arch/i386/config.in", r"\bCONFIG_X86_4G\b"),
    ("native POSIX threads", "kernel/futex.c", ""),
    ("crypto library", "crypto/Config.in", ""),
    ("low latency patches", "include/linux/low-latency.h", ""),
    ("preemption", "arch/i386/config.in", r"\bCONFIG_PREEMPT\b"),
    ("binary compatibility (abi)", "abi/Config.in", ""),
    ("user-mode Linux", "arch/um/config.in", ""),
)
VANILLA_TRAITS = ("crypto library", "user-mode Linux")  # late vanilla trees have them too
VENDORS = (
    ("Red Hat", ("configs/kernel-2.4*-i686*.config", "configs/kernel-2.4*-athlon*.config")),
    ("SuSE", ("arch/i386/defconfig.*", "config/i386/*", "rpm/kernel-*.spec.in")),
    ("Debian", ("debian/changelog", "README.Debian")),
)


@dataclass(frozen=True)
class Identity:
    """``version`` as in 2.4.13, ``release`` as the kernel will call itself (with EXTRAVERSION).

    ``vendor`` is "vanilla" when nothing tells of another; ``traits`` are in words.
    """

    version: str
    release: str
    extra: str
    vendor: str
    traits: tuple[str, ...]


def identify(root: Path) -> Identity:
    """What the tree below ``root`` is. Raises UserError when it is no Linux 2.4 tree for i386."""
    numbers = _numbers(root)
    version = ".".join(numbers.get(word, "?") for word in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))
    if (numbers.get("VERSION"), numbers.get("PATCHLEVEL")) != ("2", "4"):
        raise UserError(f"{root} is Linux {version}, not 2.4", "give a tree of the 2.4 line")
    lacking = [name for name in NEEDED if not (root / name).is_file()]
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise UserError(
            f"{root} is Linux {version} without i386: it lacks {lacking[0]}{more}",
            "HAM knows the i386 architecture of 2.4 only; give a complete tree",
        )
    extra = numbers.get("EXTRAVERSION", "")
    extra = "" if "$(" in extra else extra  # what a command says when the kernel is built
    traits = tuple(words for words, name, pattern in TRAITS if _holds(root / name, pattern))
    return Identity(version, version + extra, extra, _vendor(root, traits), traits)


def is_tree(root: Path) -> bool:
    """Whether a folder looks like the top of any Linux tree."""
    return bool(_parse(root / "Makefile"))


def _numbers(root: Path) -> dict[str, str]:
    numbers = _parse(root / "Makefile")
    if not numbers:
        raise UserError(
            f"{root} is not a kernel tree: no Makefile there says VERSION and PATCHLEVEL",
            "give the folder that holds the kernel's top-level Makefile",
        )
    return numbers


def _parse(makefile: Path) -> dict[str, str]:
    """The version's words, each as first set; nothing when the file is not a kernel's Makefile."""
    try:
        text = makefile.read_text(encoding=ENCODING)[:4096]
    except OSError:
        return {}
    found = NUMBER.findall(text.replace('"', ""))  # the shell takes quotes away
    words = dict(reversed(found))  # the first of a name wins
    return words if {"VERSION", "PATCHLEVEL", "SUBLEVEL"} <= words.keys() else {}


def _holds(path: Path, pattern: str) -> bool:
    if not path.is_file():
        return False
    return not pattern or re.search(pattern, path.read_text(encoding=ENCODING)) is not None


def _vendor(root: Path, traits: tuple[str, ...]) -> str:
    for vendor, marks in VENDORS:
        if any(next(root.glob(mark), None) for mark in marks):
            return vendor
    own = [trait for trait in traits if trait not in VANILLA_TRAITS]
    return "unknown" if own else "vanilla"
