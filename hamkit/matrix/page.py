"""The matrix as one page that needs nothing beside it: table, search, and all that stands behind a cell."""

from __future__ import annotations

import json
from typing import Any

from markupsafe import Markup

from hamkit.matrix.compare import Change, Difference, differences
from hamkit.matrix.costs import unmeasured
from hamkit.matrix.record import Matrix, Ratio
from hamkit.publish.page import asset, page_environment, policy
from hamkit.publish.plot import Plot, plot
from hamkit.stage import Verdict

MARKED = {Change.BETTER: "better", Change.WORSE: "worse"}


def render_matrix_page(matrix: Matrix, before: Matrix | None) -> str:
    """The page of a matrix; with ``before`` it marks what changed since."""
    found = differences(before, matrix) if before else ()
    environment = page_environment()
    style = asset(environment, "page.css") + asset(environment, "matrix.css")
    script = asset(environment, "matrix.js")
    totals = matrix.totals()
    return environment.get_template("matrix.html.j2").render(
        matrix=matrix,
        before=before,
        differences=found,
        changes=_changes(found) if before else {},
        titles={column.name: column.title for column in matrix.columns},
        totals={verdict.value.replace(" ", "_"): totals[verdict] for verdict in Verdict},
        total=totals.total(),
        failing=[row for row in matrix.rows if row.verdict is Verdict.FAIL],
        plots=_plots(matrix),
        overhead=_overhead(matrix),
        unmeasured=[row.name for row in matrix.rows if unmeasured(row)],
        data=Markup(_data(matrix)),  # noqa: S704 - JSON with every < escaped
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=policy(style, script),
    )


def _changes(found: tuple[Difference, ...]) -> dict[tuple[str, str], str]:
    return {(d.row, d.column): MARKED[d.change] for d in found if d.change in MARKED}


def _plots(matrix: Matrix) -> dict[tuple[str, str], Plot | None]:
    return {
        (row.name, cell.column): plot(cell.steps) for row in matrix.rows for cell in row.cells if cell.steps
    }


def _overhead(matrix: Matrix) -> list[tuple[str, tuple[Ratio, ...]]]:
    return [(row.name, cell.overhead) for row in matrix.rows for cell in row.cells if cell.overhead]


def _data(matrix: Matrix) -> str:
    """What the script needs of each cell. No ``<``, so that no text can end the element that holds it."""
    left_out = {"column", "steps", "overhead"}
    rows: dict[str, dict[str, Any]] = {
        row.name: {cell.column: cell.model_dump(mode="json", exclude=left_out) for cell in row.cells}
        for row in matrix.rows
    }
    columns = {c.name: {"title": c.title, "meaning": c.meaning} for c in matrix.columns}
    text = json.dumps({"columns": columns, "rows": rows, "texts": matrix.texts}, ensure_ascii=True)
    return text.replace("<", "\\u003c")
