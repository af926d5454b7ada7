"""Holds what work costs a patched kernel against the stock kernel: rows with a limit and a verdict each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hamkit.build.kernel24.build import Highmem
from hamkit.prove.overhead.count import Counts
from hamkit.prove.overhead.limits import OverheadLimits
from hamkit.stage import Verdict

BEFORE, AFTER, HOTADD = "before any add", "after adds", "hot-add"
MIB = 1 << 20


@dataclass(frozen=True)
class Row:
    """Instructions for one ``unit`` with each kernel, their ratio and what it may be; ``why`` a row was not
    measured, or did not come out the same twice."""

    phase: str
    name: str
    title: str
    unit: str
    stock: float | None
    patched: float | None
    ratio: float | None
    limit: float
    verdict: Verdict
    why: str = ""


@dataclass(frozen=True)
class ModeRow:
    """Instructions of stock kernels, by high memory support: what the processor's wide addresses cost."""

    name: str
    title: str
    unit: str
    stock: Mapping[Highmem, float]


@dataclass(frozen=True)
class Runs:
    """What was counted, each as often as there were rounds."""

    stock: tuple[Counts, ...]
    patched: tuple[Counts, ...]
    stock_total: tuple[Counts, ...]
    patched_added: tuple[Counts, ...]


def judge(limits: OverheadLimits, runs: Runs) -> tuple[Row, ...]:
    """Every row that has a limit, in the order of the limits."""
    before = [_row(BEFORE, limits, index, runs.stock, runs.patched) for index in range(len(limits.rows))]
    after = [
        _row(AFTER, limits, index, runs.stock_total, runs.patched_added) for index in range(len(limits.rows))
    ]
    return (*before, *after, *_hotadd_rows(limits, runs.patched_added))


def verdict(rows: Iterable[Row]) -> Verdict:
    """Fail if one row fails; not run if nothing was measured."""
    found = {row.verdict for row in rows}
    if Verdict.FAIL in found:
        return Verdict.FAIL
    return Verdict.PASS if Verdict.PASS in found else Verdict.NOT_RUN


def compare_modes(limits: OverheadLimits, stock: Mapping[Highmem, Counts]) -> tuple[ModeRow, ...]:
    """The rows side by side, for stock kernels by name of their high memory support."""
    return tuple(
        ModeRow(
            row.name,
            row.title,
            row.unit,
            {mode: counts.rows[row.name] for mode, counts in stock.items() if row.name in counts.rows},
        )
        for row in limits.rows
    )


def _row(
    phase: str, limits: OverheadLimits, index: int, stock: tuple[Counts, ...], patched: tuple[Counts, ...]
) -> Row:
    asked = limits.rows[index]
    limit = asked.before if phase == BEFORE else asked.after
    head = (phase, asked.name, asked.title, asked.unit)
    reason = next((c.skipped[asked.name] for c in (*stock, *patched) if asked.name in c.skipped), "")
    if reason:
        return Row(*head, None, None, None, limit, Verdict.NOT_RUN, reason)
    old, new = ([counts.rows[asked.name] for counts in side] for side in (stock, patched))
    ratio = max(new) / min(old)
    fits = Verdict.PASS if ratio <= limit else Verdict.FAIL
    return Row(*head, min(old), max(new), ratio, limit, fits, _spread(old) or _spread(new))


def _spread(values: list[float]) -> str:
    """Two runs of a machine that counts instructions ought to be the same."""
    low, high = min(values), max(values)
    return "" if low == high else f"rounds differ by {(high - low) / low:.2%}"


def _hotadd_rows(limits: OverheadLimits, runs: tuple[Counts, ...]) -> tuple[Row, Row]:
    """What adding all at once took, and whether that is as many times the first region's as it is larger."""
    first = [counts.adds[0][1] for counts in runs]
    whole = [counts.adds[-1][1] for counts in runs]
    times = limits.whole / limits.regions[0]
    size, small = _words(limits.whole), _words(limits.regions[0])
    most = limits.hotadd_instructions
    ratio = max(whole) / (min(first) * times)
    return (
        Row(
            *(HOTADD, "hotadd", f"adding {size}", "add"),
            *(None, max(whole), None, most),
            Verdict.PASS if max(whole) <= most else Verdict.FAIL,
            _spread([float(count) for count in whole]),
        ),
        Row(
            *(HOTADD, "hotadd-linear", f"adding {size}, to {times:g} times {small}", "add"),
            *(min(first) * times, max(whole), ratio, limits.hotadd_linear),
            Verdict.PASS if ratio <= limits.hotadd_linear else Verdict.FAIL,
        ),
    )


def _words(size: int) -> str:
    return f"{size >> 30} GB" if size % (1 << 30) == 0 else f"{size // MIB} MB"
