"""What got better or worse between two matrix runs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hamkit.matrix.record import Matrix
from hamkit.stage import Verdict

COLUMNS = ("change", "row", "column", "before", "now", "detail")
RANK = {Verdict.FAIL: 0, Verdict.NOT_RUN: 1, Verdict.UNSUPPORTED: 2, Verdict.PASS: 3}


class Change(StrEnum):
    """How a cell went, the worst first."""

    WORSE = "worse"
    GONE = "gone"
    NEW = "new"
    BETTER = "better"


@dataclass(frozen=True)
class Difference:
    """A cell that is not what it was; ``before`` or ``now`` is empty where there was, or is, no such cell."""

    change: Change
    row: str
    column: str
    before: str
    now: str
    detail: str

    @property
    def cells(self) -> tuple[str, ...]:
        """As a row of COLUMNS."""
        return (self.change.value, self.row, self.column, self.before, self.now, self.detail)


def differences(before: Matrix, now: Matrix) -> tuple[Difference, ...]:
    """Every cell whose verdict changed, worse ones first, then in the order of the later matrix.

    A pass that is not run any more is worse: nobody knows whether it still holds.
    """
    old = {(row.name, cell.column): cell for row in before.rows for cell in row.cells}
    new = {(row.name, cell.column): cell for row in now.rows for cell in row.cells}
    found = []
    for place, cell in new.items():
        was = old.get(place)
        if was is None:
            found.append(Difference(Change.NEW, *place, "", cell.verdict.value, cell.detail))
        elif was.verdict is not cell.verdict:
            change = Change.BETTER if RANK[cell.verdict] > RANK[was.verdict] else Change.WORSE
            found.append(Difference(change, *place, was.verdict.value, cell.verdict.value, cell.detail))
    for place, cell in old.items():
        if place not in new:
            found.append(Difference(Change.GONE, *place, cell.verdict.value, "", cell.detail))
    order = list(Change)
    return tuple(sorted(found, key=lambda d: order.index(d.change)))


def worse(found: tuple[Difference, ...]) -> bool:
    """Whether something that held does not hold any more, or was dropped while it passed."""
    lost = [d for d in found if d.change is Change.GONE and d.before == Verdict.PASS.value]
    return bool(lost) or any(d.change is Change.WORSE for d in found)
