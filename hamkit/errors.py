"""Errors that a person can act on, each with the exit code that scripts see.

Exit codes (documented in the README): 0 pass, 1 the thing under test failed,
2 the user's mistake, 3 the environment lacks something.
"""

from __future__ import annotations


class HamkitError(Exception):
    """An expected error: one line of what is wrong and one of what to do.

    ``message`` and ``hint`` are shown without a traceback; ``exit_code`` is the
    status of the task.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Failure(HamkitError):
    """The thing under test, or a tool run on its behalf, failed."""

    exit_code = 1


class UserError(HamkitError):
    """The caller asked for something that cannot be right."""

    exit_code = 2


class MissingNeed(HamkitError):
    """The environment lacks a program, a service or a file."""

    exit_code = 3
