"""What hot-add costs each kernel, where that was measured: `bench --tree`, or the matrix when asked to."""

from __future__ import annotations

from hamkit.matrix.record import Cell, Ratio, Row
from hamkit.prove.overhead import measured
from hamkit.stage import Verdict

COUNTED = "counted as"  # a fact of a built kernel: the cache's name of its twin that is counted
BUILDS = "builds"


def ratios(kernel: str) -> tuple[Ratio, ...]:
    """What the cache holds of a kernel that was counted; rows without a ratio are left out."""
    return tuple(
        Ratio(test=f"{row.title}, {row.phase}", ratio=row.ratio, limit=row.limit)
        for row in measured.find(kernel)
        if row.ratio
    )


def with_costs(row: Row) -> Row:
    """The row with what was measured of its kernel, beside the cell that says that it builds."""
    return row.model_copy(update={"cells": tuple(_with_costs(cell) for cell in row.cells)})


def _with_costs(cell: Cell) -> Cell:
    kernel = cell.facts.get(COUNTED)
    if cell.column != BUILDS or not isinstance(kernel, str):
        return cell
    return cell.model_copy(update={"overhead": ratios(kernel)})


def unmeasured(row: Row) -> bool:
    """Whether a kernel was patched and built, and nobody knows what that costs."""
    builds = [cell for cell in row.cells if cell.column == BUILDS and cell.verdict is Verdict.PASS]
    return bool(builds) and not any(cell.overhead for cell in row.cells)
