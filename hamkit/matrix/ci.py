"""The matrix as jobs of a public CI: one job a row, each running that row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hamkit.errors import UserError
from hamkit.matrix.rows import RowSpec


def jobs_for(system: str, rows: Sequence[RowSpec]) -> str:
    """The text for ``github`` (the JSON of strategy.matrix) or ``gitlab`` (jobs of a child pipeline).

    Raises UserError for another system.
    """
    if system not in SYSTEMS:
        raise UserError(f"no CI is called {system!r} here", f"one of {', '.join(SYSTEMS)}")
    return SYSTEMS[system](rows)


def words(row: RowSpec) -> str:
    """The command of a row's job, after ``./bootstrap``."""
    if row.line == "2.4":
        return f"matrix --kernels {row.given} --distros none --json matrix-{row.name}.json"
    return f"matrix --kernels none --distros {row.given} --json matrix-{row.name}.json"


def _github(rows: Sequence[RowSpec]) -> str:
    """For `strategy: matrix: ${{ fromJSON(...) }}`: on one line, as GITHUB_OUTPUT wants it."""
    include = [{"row": row.name, "line": row.line, "command": words(row)} for row in rows]
    return json.dumps({"include": include}) + "\n"


def _gitlab(rows: Sequence[RowSpec]) -> str:
    """A child pipeline, as JSON, which is YAML too."""
    jobs: dict[str, Any] = {
        ".row": {"stage": "test", "artifacts": {"when": "always", "paths": ["matrix-*.json"]}},
    }
    for row in rows:
        jobs[f"matrix {row.name}"] = {"extends": ".row", "script": [f"./bootstrap {words(row)}"]}
    return json.dumps(jobs, indent=2) + "\n"


SYSTEMS: dict[str, Callable[[Sequence[RowSpec]], str]] = {"github": _github, "gitlab": _gitlab}
