"""The one Jinja environment: an undefined name is an error, never an empty string."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from hamkit.errors import UserError
from hamkit.files import project_root


@cache
def environment() -> jinja2.Environment:
    """Templates below ``templates/``; output is plain text, so nothing is escaped."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(project_root() / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - spec files, Dockerfiles and shell, never HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, facts: Mapping[str, Any]) -> str:
    """Render a template by its path below ``templates/``.

    Raises UserError naming the template and the fact that is missing or wrong.
    """
    try:
        return environment().get_template(template).render(facts)
    except jinja2.TemplateError as bad:
        line = getattr(bad, "lineno", None)
        where = f"templates/{template}" + (f", line {line}" if line else "")
        raise UserError(f"{where}: {bad}", "mend the template or the facts given to it") from bad
