"""Runs the numbered gates of ``ci/gates``: each tests one thing, its number is its exit status."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.progress import Progress
from hamkit.run import interactive
from hamkit.stage import Stopwatch

NAME = re.compile(r"^(?P<number>\d\d)-(?P<title>[a-z-]+)$")


@dataclass(frozen=True)
class Gate:
    """A program in ``ci/gates``. ``number`` orders it and is the status of a run that it stops."""

    number: int
    title: str
    path: Path


def gates() -> tuple[Gate, ...]:
    """All gates in order. Raises UserError when a file there is not one."""
    folder = project_root() / "ci" / "gates"
    found = []
    for path in sorted(folder.iterdir()):
        match = NAME.match(path.name)
        if match is None or not os.access(path, os.X_OK):
            raise UserError(f"ci/gates/{path.name} is not a gate", "name it NN-title and make it executable")
        found.append(Gate(int(match["number"]), match["title"], path))
    return tuple(found)


def run_gates(only: str, arguments: tuple[str, ...], progress: Progress) -> int:
    """Run all gates, or the one titled ``only``; 0, or the number of the first that did not pass.

    ``arguments`` go to each gate. Raises UserError for an unknown title.
    """
    chosen = [gate for gate in gates() if only in ("", gate.title)]
    if not chosen:
        raise UserError(f"no gate is called {only!r}", f"one of: {', '.join(g.title for g in gates())}")
    for gate in chosen:
        watch = Stopwatch()
        progress.note(f"gate {gate.number} {gate.title}")
        if interactive([gate.path, *arguments]):
            progress.note(f"gate {gate.number} {gate.title}: failed after {watch.seconds:.0f} s")
            return gate.number
        progress.note(f"gate {gate.number} {gate.title}: passed in {watch.seconds:.0f} s")
    return 0
