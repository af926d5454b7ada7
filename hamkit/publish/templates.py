"""The Jinja environments that the report's templates are rendered with."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hamkit.files import project_root


def folder() -> Path:
    return project_root() / "templates" / "report"


@cache
def html_environment() -> Environment:
    """For pages: whatever is filled in is escaped."""
    return Environment(
        loader=FileSystemLoader(folder()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def shell_environment() -> Environment:
    """For scripts: what is filled in goes through the ``sh`` filter, which quotes."""
    environment = Environment(  # noqa: S701 - no HTML: the filter quotes for the shell
        loader=FileSystemLoader(folder()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["sh"] = shlex.quote
    return environment
