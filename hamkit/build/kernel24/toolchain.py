"""Finds a compiler that 2.4 was made for, and what stands between it, the tree and current tools."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import MissingNeed, UserError
from hamkit.files import cache_root, sha256_file, sha256_text
from hamkit.kernel.csource import ENCODING
from hamkit.kernel.probes.toolchain import MAKEFILES, plain_flags
from hamkit.run import find, run

COMPILER = re.compile(r"(?P<prefix>(?:[\w.]+-)*?)gcc(?:-\d[\d.]*)?")
VERSIONS = re.compile(r"(?:egcs-)?2\.9[15](?:\.\d+)*|3\.[0-4](?:\.\d+)*")
MACHINE = re.compile(r"i[3-6]86\b.*")
BINUTILS = ("ar", "nm", "objcopy", "objdump", "ranlib", "size", "strip")
FLAGS_LINE = re.compile(r"^[ \t]*(?:CFLAGS|AFLAGS)[ \t]*[+:]?=(?:[^\\\n]|\\\n|\\.)*", re.MULTILINE)
DEBUG = re.compile(r"(?<=[\s=])-g(?:gdb|stabs\+?|dwarf(?:-2)?)?[0-3]?(?=\s|$)")
SEGMENT_MOVE = b"\tmovl %fs,4(%eax)\n"
HINT = "put a gcc 2.95 for i386 below {folder}/NAME/bin, or name one"


@dataclass(frozen=True)
class Toolchain:
    """A compiler with its assembler and linker. ``assembler_flags`` make it speak 32 bit, where it needs
    telling; ``segment`` is whether it refuses 2.4's moves of segment registers."""

    name: str
    version: str
    cc: Path
    assembler: Path
    linker: Path
    binutils: tuple[tuple[str, Path], ...]
    assembler_flags: str
    segment: bool
    digest: str


def known_toolchains() -> tuple[str, ...]:
    """Names below ``toolchains/`` in the cache."""
    folder = cache_root() / "toolchains"
    if not folder.is_dir():
        return ()
    return tuple(sorted(path.name for path in folder.iterdir() if _compilers(path)))


def find_toolchain(given: str = "") -> Toolchain:
    """The toolchain of that name in the cache or at that path; without one, the oldest in the cache.

    Raises MissingNeed when there is none, UserError when it is not for 2.4 on i386.
    """
    folder = cache_root() / "toolchains"
    if given:
        places = [path for path in (folder / given, Path(given).expanduser()) if path.exists()]
        if not places:
            known = ", ".join(known_toolchains()) or "none"
            raise UserError(f"there is no toolchain {given}", f"known names: {known}; a path will do as well")
        return _describe(_compiler(places[0]), given)
    names = known_toolchains()
    if not names:
        raise MissingNeed("no compiler for Linux 2.4 is installed", HINT.format(folder=folder))
    return min(
        (_describe(_compiler(folder / name), name) for name in names), key=lambda t: (t.version, t.name)
    )


def left_out_flags(toolchain: Toolchain, root: Path) -> tuple[str, ...]:
    """Flags of the tree that the compiler is not given: those for debugging, and those that the tree gives
    every compiler and this one does not know."""
    flags = {flag for text in _makefiles(root) for flag, _ in plain_flags(text)}
    refused = (flag for flag in sorted(flags) if not _accepts(toolchain.cc, flag))
    return (*debug_flags(root), *refused)


def debug_flags(root: Path) -> tuple[str, ...]:
    """Flags that put the folder of the build into every object: no compiler of the time can hide it."""
    lines = [line.group() for text in _makefiles(root) for line in FLAGS_LINE.finditer(text)]
    return tuple(sorted({flag for line in lines for flag in DEBUG.findall(line)}))


def _makefiles(root: Path) -> list[str]:
    return [(root / name).read_text(encoding=ENCODING) for name in MAKEFILES]


def _accepts(cc: Path, flag: str) -> bool:
    argv = [str(cc), flag, "-S", "-o", "/dev/null", "-xc", "/dev/null"]
    return run(argv, check=False, timeout=30).returncode == 0


def _compilers(place: Path) -> list[Path]:
    """Compilers of a toolchain, from its top, its bin folder or the compiler itself."""
    if place.is_file():
        return [place]
    folder = place / "bin" if (place / "bin").is_dir() else place
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if COMPILER.fullmatch(path.name) and path.is_file()]


def _compiler(place: Path) -> Path:
    """The first compiler there that is for i386 and of 2.4's time. Raises UserError telling what is there."""
    seen = []
    for path in _compilers(place):
        version, machine = (_ask(path, f"-dump{what}") for what in ("version", "machine"))
        if VERSIONS.fullmatch(version) and MACHINE.fullmatch(machine):
            return path.absolute()
        seen.append(f"{path.name} is {version or 'no compiler'} for {machine or 'nothing'}")
    raise UserError(
        f"{place} holds no compiler for Linux 2.4: {'; '.join(seen) or 'no gcc'}",
        "2.4 wants gcc 2.95 (or 3.0 to 3.4) that makes i386 code",
    )


def _ask(cc: Path, *question: str) -> str:
    done = run([cc, *question], check=False, timeout=30)
    return done.stdout.strip() if done.returncode == 0 else ""


def _describe(cc: Path, name: str) -> Toolchain:
    match = COMPILER.fullmatch(cc.name)
    prefix = match["prefix"] if match else ""
    assembler, linker = _tool(cc, prefix, "as"), _tool(cc, prefix, "ld")
    flags = next((f for f in ("--32", "") if _assembles(assembler, f, b"\tmovl %eax,4(%eax)\n")), None)
    if flags is None:
        raise UserError(f"{assembler} does not assemble i386 code", "install binutils that do")
    version = _ask(cc, "-dumpversion")
    inner = Path(_ask(cc, "-print-prog-name=cc1"))
    words = [version, sha256_file(cc), sha256_file(inner) if inner.is_file() else ""]
    words += [run([tool, "--version"], timeout=30).stdout for tool in (assembler, linker)]
    return Toolchain(
        name=Path(name).name,
        version=version,
        cc=cc,
        assembler=assembler,
        linker=linker,
        binutils=tuple((tool, _tool(cc, prefix, tool)) for tool in BINUTILS),
        assembler_flags=flags,
        segment=not _assembles(assembler, flags, SEGMENT_MOVE),
        digest=sha256_text(*words),
    )


def _tool(cc: Path, prefix: str, name: str) -> Path:
    """A program of the toolchain's own, or the system's."""
    own = cc.parent / f"{prefix}{name}"
    return own if own.is_file() else find(name, "binutils")


def _assembles(assembler: Path, flags: str, text: bytes) -> bool:
    argv = [str(assembler), *flags.split(), "-o", "/dev/null", "-"]
    return run(argv, data=text, check=False, timeout=30).returncode == 0
