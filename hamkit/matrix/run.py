"""One matrix run: rows planned, walked, and put together as a record."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hamkit import __version__
from hamkit.errors import HamkitError
from hamkit.files import project_root, sha256_file, sha256_tree
from hamkit.kernel.source import inventories, open_source
from hamkit.matrix.cache import AnswerCache, makers_digests
from hamkit.matrix.columns import Column
from hamkit.matrix.costs import with_costs
from hamkit.matrix.execute import PYTHON, make
from hamkit.matrix.graph import Answer, Node, Task, wanted_nodes
from hamkit.matrix.nodes import LINES
from hamkit.matrix.record import Cell, Counts, Matrix, Row
from hamkit.matrix.rows import RowSpec
from hamkit.matrix.walk import Progressing, RowPlan, Settings, Walk, Watch
from hamkit.stage import Stopwatch, Verdict


@dataclass(frozen=True)
class MatrixRequest:
    """``options`` go to every task: ``scenario`` (a path), ``flavour``, ``highmem``, ``toolchain``."""

    rows: tuple[RowSpec, ...]
    columns: tuple[Column, ...]
    options: Mapping[str, str]
    jobs: int = 1
    scheduler: str = ""
    fail_fast: bool = False
    renew: bool = False
    argv: tuple[str, ...] = ()


def answer(task: Task) -> Answer:
    """What a worker does with a task. Only workers need what answers it."""
    if task.row.line == "2.4":
        from hamkit.matrix import trees  # noqa: PLC0415

        return trees.ask(task)
    from hamkit.matrix import mainline  # noqa: PLC0415

    return mainline.ask(task)


def run_matrix(request: MatrixRequest, watch: Watch, keep: Callable[[Matrix], None]) -> Matrix:
    """Walk the whole matrix. ``keep`` is given the record, also that of an interrupted run.

    Raises UserError and MissingNeed for an executor that cannot be had.
    """
    started, clock = datetime.datetime.now(datetime.UTC).replace(microsecond=0), Stopwatch()
    with ThreadPoolExecutor(1) as aside:  # reading the trees takes longest
        planning = aside.submit(_plans, request)
        nodes = {node for row in request.rows for node in _nodes(request, row)}
        tools = _tools({tool for node in nodes for tool in node.tools}, request.options)
        makers = makers_digests({node.makers for node in nodes})
        plans = planning.result()
    settings = Settings(
        makers={node: makers[node.makers] for node in nodes},
        tools={node: " ".join(f"{t} {tools[t]}" for t in node.tools) for node in nodes},
        options=request.options,
        fail_fast=request.fail_fast,
        renew=request.renew,
    )
    executor = make(answer, request.jobs, request.scheduler)
    walk = Walk(plans, settings, AnswerCache(), executor, watch)
    complete = False
    try:
        walk.go()
        complete = True
    finally:
        matrix = _record(request, walk.state, started, clock.seconds, complete, tools)
        keep(matrix)
    return matrix


def _plans(request: MatrixRequest) -> list[RowPlan]:
    subjects = {row: _subject(row) for row in request.rows}
    known = inventories([s for row, s in subjects.items() if row.line == "2.4" and isinstance(s, Path)])
    return [
        RowPlan(row, _nodes(request, row), _row_digest(subject, known)) for row, subject in subjects.items()
    ]


def _nodes(request: MatrixRequest, row: RowSpec) -> tuple[Node, ...]:
    return wanted_nodes(LINES[row.line], [column.name for column in request.columns])


def _subject(row: RowSpec) -> Path | str:
    """The tree, or the file of the distribution's facts; the mistake, when there is none."""
    try:
        return (
            open_source(row.given).root
            if row.line == "2.4"
            else project_root() / "specs" / f"{row.given}.toml"
        )
    except HamkitError as bad:
        return f"none: {bad.message}"


def _row_digest(subject: Path | str, known: Mapping[Path, str]) -> str:
    if isinstance(subject, str):
        return subject
    return known[subject] if subject in known else sha256_file(subject)


def _tools(names: Iterable[str], options: Mapping[str, str]) -> dict[str, str]:
    """Versions or digests of the tools that nodes name; what is missing says so, and its node will tell."""
    ask: Mapping[str, Callable[[], str]] = {
        "spatch": _spatch_version,
        "toolchain": lambda: _toolchain(options.get("toolchain", "")),
        "qemu": _qemu_version,
        "scenario": lambda: _scenarios(options.get("scenario", "")),
    }
    found = {"python": PYTHON}
    for name in sorted(names):
        try:
            found[name] = ask[name]()
        except (HamkitError, OSError):
            found[name] = "none"
    return found


def _spatch_version() -> str:
    from hamkit.render.series import spatch  # noqa: PLC0415 - here it is imported while trees are read

    return spatch.version()


def _toolchain(chosen: str) -> str:
    from hamkit.build.kernel24.toolchain import find_toolchain  # noqa: PLC0415 - likewise

    return find_toolchain(chosen).digest


def _qemu_version() -> str:
    from hamkit.prove.qemu import version  # noqa: PLC0415 - most runs boot nothing

    return version()


def _scenarios(chosen: str) -> str:
    """Digest of the file that was chosen, else of all from which a pipeline chooses its default."""
    return sha256_file(Path(chosen)) if chosen else sha256_tree(project_root() / "specs" / "scenarios")


def _record(
    request: MatrixRequest,
    state: Progressing,
    started: datetime.datetime,
    seconds: float,
    complete: bool,
    tools: Mapping[str, str],
) -> Matrix:
    answers = state.answers
    texts = {digest: text for found in answers.values() for digest, text in found.texts.items()}
    return Matrix(
        hamkit=__version__,
        started=started,
        seconds=seconds,
        argv=request.argv,
        complete=complete,
        columns=tuple(column.record() for column in request.columns),
        rows=tuple(with_costs(_row(plan, answers, request.columns)) for plan in state.plans),
        counts=_counts(state, request.columns),
        peak_memory_mib=_peak_memory(),
        tools=dict(tools),
        texts=texts,
    )


def _counts(state: Progressing, columns: tuple[Column, ...]) -> Counts:
    found = state.computed
    by_column = {column.name: found[column.name] for column in columns if found[column.name]}
    return Counts(cached=state.cached, computed=found.total(), columns=by_column)


def _peak_memory() -> float:
    """MiB that this process had in memory at most; 0 where the system does not tell."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    found = re.search(r"^VmHWM:\s*(\d+) kB", text, re.MULTILINE)
    return round(int(found[1]) / 1024, 1) if found else 0.0


def _row(plan: RowPlan, answers: Mapping[tuple[str, str], Answer], columns: tuple[Column, ...]) -> Row:
    own = [answers[(plan.row.name, node.name)] for node in plan.nodes]
    cells = {cell.column: cell for found in own for cell in found.cells}
    nobody = "nothing answers this for such a row yet"
    return Row(
        name=plan.row.name,
        line=plan.row.line,
        title=next((found.title for found in own if found.title), plan.row.name),
        origin=next((found.origin for found in own if found.origin), ""),
        cells=tuple(
            cells.get(column.name) or Cell(column=column.name, verdict=Verdict.NOT_RUN, detail=nobody)
            for column in columns
        ),
    )
