"""Gives mistakes on the command line, which Invoke ends with 1, the exit code of all user's mistakes: 2.

``invoke`` has loaded our tasks, but parsed no word for them yet, when ``adopt`` is called: the running
program is told to parse them our way. What it finds wrong before (``--search-root`` without a folder, no
tasks.py) stays its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import wraps

from invoke import ParseError
from invoke.program import Program

from hamkit.errors import UserError
from hamkit.tasks.common import told

HINT = "`invoke --list` shows the tasks, `invoke --help TASK` the flags of one"
# What Invoke and its parsing of numbers say, and what we make of it
SENTENCES = (
    (re.compile(r"No idea what '(-.*)' is!"), r"there is no flag \1"),
    (re.compile(r"No idea what '(.*)' is!"), r"there is no task \1"),
    (re.compile(r"Flag <Argument: (\S+).*> needed value.*"), r"--\1 needs a value"),
    (re.compile(r"invalid literal for int\(\) with base 10: (.*)"), r"\1 is not a number"),
)


def adopt(program: Program) -> None:
    """Have a running Invoke end with 2, and one clear line, when its words for tasks make no sense."""
    for name in ("parse_tasks", "parse_cleanup"):  # the second: --help for a task that there is not
        step = getattr(program, name)
        if not hasattr(step, "__wrapped__"):
            setattr(program, name, ending_with_2(step))


def ending_with_2(step: Callable[[], None]) -> Callable[[], None]:
    """``step`` of Invoke's parsing with its complaints as ours."""

    @wraps(step)
    def stepping() -> None:
        with told("--json" in sys.argv):
            try:
                step()
            except (ParseError, ValueError) as wrong:
                raise UserError(sentence(wrong), HINT) from wrong

    return stepping


def sentence(wrong: Exception) -> str:
    """What is wrong, in one line, with the task after which it stood."""
    said = " ".join(str(wrong).split())
    for pattern, ours in SENTENCES:
        said = pattern.sub(ours, said)
    task = wrong.context.name if isinstance(wrong, ParseError) and wrong.context else None
    return f"{said} (after {task})" if task else said
