"""The matrix as it fills: a live table on a terminal, one line an answer elsewhere; and whole, at the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from statistics import median
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hamkit.matrix.columns import Column
from hamkit.matrix.record import SYMBOLS, Cell, Matrix
from hamkit.matrix.walk import Progressing, Watch
from hamkit.stage import Verdict

COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNSUPPORTED: "yellow", Verdict.NOT_RUN: "dim"}
RUNNING, WAITING = "[cyan]⋯[/]", "[dim]·[/]"
PER_SECOND = 4


@contextmanager
def watching(columns: tuple[Column, ...], slots: int, stream: TextIO | None = None) -> Iterator[Watch]:
    """What a walk tells its state to."""
    stream = stream or sys.stderr
    console = Console(file=stream, highlight=False)
    if not stream.isatty():
        yield _Lines(console).see
        return
    with Live(console=console, refresh_per_second=PER_SECOND, transient=True) as live:
        yield lambda state: live.update(_screen(state, columns, slots, console.height))


class _Lines:
    """One line for each answer that was computed, and for each row that is whole."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: set[tuple[str, str]] = set()

    def see(self, state: Progressing) -> None:
        for place, answer in list(state.answers.items()):
            if place in self._told:
                continue
            self._told.add(place)
            for cell in answer.cells:
                if cell.key and not cell.cached:
                    words = f"{place[0]} {cell.column}: {cell.verdict.value} {cell.detail}"
                    self._console.print(escape(words), soft_wrap=True)


def _screen(state: Progressing, columns: tuple[Column, ...], slots: int, height: int) -> Group:
    """Rows in work or with a failure first: a terminal has not room for all."""
    cells = {(row, c.column): c for (row, _), answer in state.answers.items() for c in answer.cells}
    busy = {row for row, _ in state.running}
    bad = {row for (row, _), cell in cells.items() if cell.verdict is Verdict.FAIL}
    names = [plan.row.name for plan in state.plans]
    chosen = sorted(names, key=lambda name: (name not in busy, name not in bad, names.index(name)))
    shown = [name for name in names if name in chosen[: max(3, height - 6)]]
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("kernel")
    for column in columns:
        table.add_column(column.title, justify="center")
    running = {(row, c) for row, node in state.running for c in _columns_of(state, row, node)}
    for name in shown:
        table.add_row(
            escape(name), *(_mark(cells.get((name, c.name)), (name, c.name) in running) for c in columns)
        )
    return Group(table, Text(_line(state, cells, slots, len(names) - len(shown))))


def _columns_of(state: Progressing, row: str, node: str) -> tuple[str, ...]:
    nodes = next(plan.nodes for plan in state.plans if plan.row.name == row)
    return next(n.columns for n in nodes if n.name == node)


def _mark(cell: Cell | None, running: bool) -> str:
    if cell is None:
        return RUNNING if running else WAITING
    return f"[{COLOURS[cell.verdict]}]{SYMBOLS[cell.verdict]}[/]"


def _line(state: Progressing, cells: Mapping[tuple[str, str], Cell], slots: int, hidden: int) -> str:
    done, seconds = len(state.answers), time.monotonic() - state.began
    counts = Counter(cell.verdict for cell in cells.values())
    words = [f"{done} of {state.total} answers, {seconds:.0f} s"]
    words += [f"{SYMBOLS[verdict]} {counts[verdict]}" for verdict in Verdict if counts[verdict]]
    left = remaining(state, slots)
    words += [f"about {left:.0f} s left"] if left is not None else []
    words += [f"{hidden} rows not shown"] if hidden else []
    return ", ".join(words)


def remaining(state: Progressing, slots: int) -> float | None:
    """Seconds that the rest may take, by what answers of the same node took; None while that is not known."""
    took: dict[str, list[float]] = {}
    for (_, node), answer in state.answers.items():
        if any(cell.key for cell in answer.cells) and answer.seconds:
            took.setdefault(node, []).append(answer.seconds)
    left = [n.name for p in state.plans for n in p.nodes if (p.row.name, n.name) not in state.answers]
    if not left or not all(name in took for name in left):
        return None
    return sum(median(took[name]) for name in left) / max(1, slots)


def whole(matrix: Matrix) -> Table:
    """The finished matrix as a table."""
    table = Table(show_edge=False, pad_edge=False, title=_sum(matrix), title_justify="left")
    table.add_column("kernel")
    for column in matrix.columns:
        table.add_column(column.title, justify="center")
    for row in matrix.rows:
        table.add_row(escape(row.name), *(_mark(cell, running=False) for cell in row.cells))
    return table


def _sum(matrix: Matrix) -> str:
    totals = matrix.totals()
    words = ", ".join(f"{totals[verdict]} {verdict.value}" for verdict in Verdict if totals[verdict])
    counts = matrix.counts
    new = ", ".join(f"{name} {count}" for name, count in counts.columns.items())
    computed = f"{counts.computed} computed{f' ({new})' if new else ''}"
    return f"{words}; {computed}, {counts.cached} from the cache, {matrix.seconds:.1f} s"


def explained(matrix: Matrix, row_name: str, column: str) -> list[str]:
    """Everything about one cell, in lines. Raises UserError for a row, KeyError for a column, that is not."""
    row = matrix.row(row_name)
    cell = row.cell(column)
    title = next(c for c in matrix.columns if c.name == column)
    lines = [
        f"{row.name} ({row.title}), {title.title}: {cell.verdict.value}",
        f"  a pass means: {title.meaning}",
        f"  {cell.detail}" if cell.detail else "",
        f"  took {cell.seconds:.1f} s{', from the cache' if cell.cached else ''}; key {cell.key or 'none'}",
    ]
    lines += [f"  fact {name} = {value}" for name, value in cell.facts.items()]
    lines += [f"  step {c.step}, {c.title}: {c.seen}, not {c.expected}" for c in cell.checks]
    lines += [f"  costs {r.ratio:.4f} of stock, at most {r.limit}: {r.test}" for r in cell.overhead]
    lines += [f"  patch {text.name} {text.digest[:12]}" for text in cell.patches]
    for text in cell.texts:
        lines += [f"  --- {text.name}", *(f"  {line}" for line in matrix.texts[text.digest].splitlines())]
    return [line for line in lines if line]


def cell_alone(matrix: Matrix, row_name: str, column: str) -> dict[str, object]:
    """One cell for a program: its row, itself, the texts it names by digest. Raises as ``explained``."""
    row = matrix.row(row_name)
    cell = row.cell(column)
    texts = {text.digest: matrix.texts[text.digest] for text in (*cell.texts, *cell.patches)}
    return {"row": row.name, "cell": cell, "texts": texts}
