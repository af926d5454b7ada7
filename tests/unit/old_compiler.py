"""A compiler of Linux 2.4's time as far as hamkit asks it: it tells its version and prints its arguments."""

from __future__ import annotations

from pathlib import Path

SPEAKING = """#!/bin/sh
case $1 in
-dumpversion) echo {version} ;;
-dumpmachine) echo {machine} ;;
-freorder-blocks) exit 1 ;;
*) printf '%s\\n' "$@" ;;
esac
"""


def compiler(
    folder: Path, name: str = "i386-gcc", version: str = "2.95.3", machine: str = "i386-linux"
) -> Path:
    """A program that answers like a compiler, and otherwise prints its arguments."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(SPEAKING.format(version=version, machine=machine))
    path.chmod(0o755)
    return path
