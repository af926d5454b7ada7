"""What the driver of HAM's core on the host is asked and says: see ham-src/tests/core_driver.c."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hamkit.files import project_root
from hamkit.run import run

from .ham_reference import Command

SOURCE = project_root() / "ham-src"
SANITIZERS = "-fsanitize=address,undefined -fno-sanitize-recover=all"
# As old compilers would take it.
STRICT = "-std=gnu89 -O1 -g -Wall -Wextra -Wdeclaration-after-statement -Wshadow -Werror"

Drive = Callable[[list[Command]], list[str]]


def compile_driver(target: Path) -> Path:
    """The core and its driver, with sanitizers."""
    sources: list[Path] = [*sorted((SOURCE / "core").glob("*.c")), SOURCE / "tests" / "core_driver.c"]
    includes = [f"-I{SOURCE / 'include'}", f"-I{SOURCE / 'core'}", "-DHAM_TEST"]
    run(["gcc", *STRICT.split(), *SANITIZERS.split(), *includes, *sources, "-o", target])
    return target


def send(driver: Path, commands: list[Command]) -> list[str]:
    """Runs commands; the driver itself ends with an error on a leak or a broken rule."""
    text = "".join(" ".join(w if isinstance(w, str) else f"{w:x}" for w in c) + "\n" for c in commands)
    lines = run([driver], data=text.encode()).stdout.splitlines()
    assert lines[-1] == "end"
    return lines[:-1]


def codes(lines: list[str]) -> list[int]:
    """What each add and retry returned."""
    return [int(line.split()[1]) for line in lines if line.startswith("rc ")]


def status(lines: list[str]) -> list[str]:
    """The last status shown, as ``start-end attr STATUS`` with short addresses."""
    end = len(lines) - 1 - lines[::-1].index(".")
    begin = max((i + 1 for i in range(end) if not is_status(lines[i])), default=0)
    return [shorten(line) for line in lines[begin:end]]


def is_status(line: str) -> bool:
    return len(line) > 33 and line[16] == "-"


def shorten(line: str) -> str:
    addresses, attribute, word = line.split()
    first, last = addresses.split("-")
    return f"{int(first, 16):x}-{int(last, 16):x} {attribute} {word}"
