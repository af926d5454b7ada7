"""Shows results to people (tables, one line an error) and to scripts (JSON, exit codes)."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from pydantic_core import to_jsonable_python
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hamkit.errors import HamkitError, MissingNeed
from hamkit.files import refused
from hamkit.stage import StageResult, Verdict

if TYPE_CHECKING:  # what is shown is made elsewhere: every task imports this module
    from hamkit.courses.overhead import Overhead
    from hamkit.prove.comparison import Comparison
    from hamkit.prove.overhead.verdicts import ModeRow, Row

COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNSUPPORTED: "yellow", Verdict.NOT_RUN: "dim"}
LARGEST_RATIO = 100.0  # a limit above is a count
LARGEST_SMALL = 10_000.0
STAGE_COLUMNS = ("stage", "verdict", "seconds", "detail")
TERMINATED = 128 + signal.SIGTERM
INTERRUPTED = 128 + signal.SIGINT


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; a cell that is a verdict gets its colour, nothing is cut."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    shown = Table(title=title, title_justify="left", show_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    console.print(shown)


def _cell(value: object) -> str:
    if isinstance(value, Verdict):
        return f"[{COLOURS[value]}]{value.value}[/]"
    return escape("" if value is None else str(value))


def as_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(to_jsonable_python(value), indent=2) + "\n")


def either(
    json_wanted: bool, value: object, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    """The value as JSON for a script, or the rows as a table for a person."""
    if json_wanted:
        as_json(value)
    else:
        table(title, columns, rows)


def outcome(json_wanted: bool, title: str, results: Sequence[StageResult], more: Mapping[str, object]) -> int:
    """Stages with verdict, seconds and what was made; the exit code that they come to.

    ``more`` goes into the JSON; files named there are listed for a person too.
    """
    rows = [
        (r.name, r.verdict, f"{r.seconds:.1f}{' (cached)' if r.cached else ''}", r.detail) for r in results
    ]
    either(json_wanted, {"stages": results} | dict(more), title, STAGE_COLUMNS, rows)
    files = more.get("files")
    if not json_wanted and isinstance(files, tuple):
        sys.stdout.write("".join(f"{path}\n" for path in files))
    return max((exit_code(r.verdict) for r in results), default=0)


def run(comparison: Comparison) -> None:
    """What the machine had after each step, and what does not agree with the model."""
    rows = [(s.step, s.label, s.result, s.mem_total_kib, s.expected_total_kib) for s in comparison.steps]
    table("steps", ("step", "action", "result", "MemTotal KiB", "model KiB"), rows)
    wrong = [c for c in comparison.checks if c.verdict is not Verdict.PASS]
    if wrong:
        columns = ("step", "value", "seen", "model")
        table("disagreements", columns, [(c.step, c.title, c.seen, c.expected) for c in wrong])


def overhead(made: Overhead) -> None:
    """Instructions of stock and patched kernels, phase by phase; then stock kernels side by side."""
    columns = ("work", "per", "stock", "patched", "ratio", "limit", "verdict", "")
    for phase in dict.fromkeys(row.phase for row in made.rows):
        rows = [_overhead_cells(row) for row in made.rows if row.phase == phase]
        table(f"Linux {made.release}, {phase}: instructions", columns, rows)
    modes = list(dict.fromkeys(mode for row in made.modes for mode in row.stock))
    beside = [
        (row.title, row.unit, *(_number(row.stock.get(mode)) for mode in modes), _last_to_first(row))
        for row in made.modes
    ]
    titles = ("work", "per", *modes, f"{modes[-1]} to {modes[0]}")
    table(f"Linux {made.release}, stock, by high memory support: instructions", titles, beside)


def _overhead_cells(row: Row) -> tuple[object, ...]:
    limit = _number(row.limit) if row.limit > LARGEST_RATIO else _ratio(row.limit)
    counts = (_number(row.stock), _number(row.patched), _ratio(row.ratio))
    return (row.title, row.unit, *counts, limit, row.verdict, row.why)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if value < LARGEST_SMALL else f"{value:,.0f}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _last_to_first(row: ModeRow) -> str:
    values = list(row.stock.values())
    return _ratio(values[-1] / values[0]) if values else ""


def exit_code(verdict: Verdict) -> int:
    """0 for pass, 3 for what was not run, 1 for everything else."""
    return {Verdict.PASS: 0, Verdict.NOT_RUN: 3}.get(verdict, 1)


@contextmanager
def told(
    json_wanted: bool, leave: Callable[[int], BaseException], needs: Callable[[], str]
) -> Iterator[None]:
    """Turns expected errors into words and an exit status.

    ``leave`` makes the exception that exits; ``needs`` says what is missing and what
    still works, shown when the environment lacks something. SIGTERM ends the block like
    an interrupt, so that everything started is cleaned up.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except HamkitError as bad:
        _tell(json_wanted, bad, bad.exit_code, needs() if isinstance(bad, MissingNeed) else "")
        raise leave(bad.exit_code) from None
    except KeyboardInterrupt:
        stopped = HamkitError("interrupted; nothing half-done was left", "run it again")
        _tell(json_wanted, stopped, INTERRUPTED)
        raise leave(INTERRUPTED) from None
    except BrokenPipeError:
        raise leave(1) from None
    except OSError as system:
        told_so = refused(system)
        _tell(json_wanted, told_so, told_so.exit_code)
        raise leave(told_so.exit_code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(json_wanted: bool, bad: HamkitError, code: int, more: str = "") -> None:
    if json_wanted:
        as_json({"error": bad.message, "hint": bad.hint, "exit_code": code})
    lines = [f"hamkit: {bad.message}", bad.hint, more]
    sys.stderr.write("\n        ".join(line for line in lines if line) + "\n")


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)
