"""The Jinja environments that the report's templates are rendered with."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from hamkit.files import cache_root, project_root


def folder() -> Path:
    return project_root() / "templates" / "report"


@cache
def html_environment() -> Environment:
    """For pages: whatever is filled in is escaped.

    Templates are compiled once: that takes longer than filling them in.
    """
    compiled = cache_root() / "templates"
    compiled.mkdir(exist_ok=True)
    return Environment(
        bytecode_cache=FileSystemBytecodeCache(str(compiled)),
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
