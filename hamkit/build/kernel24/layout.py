"""Sizes and offsets of a kernel's structures, told by its own compiler: numbers as the sizes of arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hamkit.errors import Failure
from hamkit.kernel.facts import KernelFacts
from hamkit.kernel.probing import Value
from hamkit.render.environment import render
from hamkit.run import run

SOURCE = "config24/layout.c.j2"
OBJECT = "ham_layout.o"
SIZED = re.compile(r"[0-9a-f]+ ([0-9a-f]+) [A-Za-z] ham_(\w+)")
OPTIONAL: Mapping[str, Value] = {"zone_start": "", "watermarks": ""}  # facts that a tree may not tell


def layout_source(facts: KernelFacts) -> str:
    """The C file that tells, to be compiled with the kernel's own flags."""
    return render(SOURCE, {"facts": {**OPTIONAL, **facts.values}})


def read_layout(compiled: Path) -> dict[str, int]:
    """Name to number. Raises Failure when the object tells nothing."""
    said = run(["nm", "-S", compiled], package="binutils").stdout
    found = {name: int(size, 16) - 1 for size, name in SIZED.findall(said)}
    if not found:
        raise Failure(f"{compiled.name} tells no sizes", "see the log of the build")
    return found
