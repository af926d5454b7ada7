"""Which modules of tasks a command line needs: importing the others costs more than most tasks do."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from invoke import Task

# In the order in which data moves.
MODULES: Mapping[str, str] = {
    "doctor": "machine",
    "specs": "packages",
    "facts": "kernels",
    "patch": "kernels",
    "image": "packages",
    "srpm": "packages",
    "check": "packages",
    "build": "packages",
    "boot": "proof",
    "judge": "proof",
    "model": "proof",
    "fuzz": "fuzzing",
    "matrix": "matrix",
    "compare": "matrix",
    "reproduce": "shipping",
    "release": "shipping",
    "sign": "shipping",
    "verify": "shipping",
    "version.bump": "shipping",
    "shell": "packages",
    "bench": "benching",
    "test": "machine",
    "lint": "machine",
    "clean": "machine",
}
NAMES = {"specs": "specs_", "version.bump": "version_bump"}  # where a task cannot be called what it is
INVOKE = ("invoke", "inv", "__main__")
ALL = ("-l", "--list", "--complete", "--print-completion-script")


def chosen(argv: Sequence[str]) -> tuple[str, ...]:
    """The tasks that a command line may name; all of them when it names none, or is not Invoke's."""
    words = set(argv[1:])
    named = tuple(name for name in MODULES if name in words)
    if Path(argv[0]).stem not in INVOKE or not named or any(w.startswith(ALL) for w in words):
        return tuple(MODULES)
    return named


def load(name: str) -> Task:  # type: ignore[type-arg]
    """A task by its name."""
    module = importlib.import_module(f"hamkit.tasks.{MODULES[name]}")
    task: Task = getattr(module, NAMES.get(name, name))  # type: ignore[type-arg]
    return task
