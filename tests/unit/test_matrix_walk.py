"""The walk: what is computed, what comes from the cache, and what a failure means for the rest."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from hamkit.errors import MissingNeed
from hamkit.matrix.cache import AnswerCache
from hamkit.matrix.graph import Answer, Node, Task, key_of, wanted_nodes
from hamkit.matrix.record import Cell, Text
from hamkit.matrix.rows import RowSpec
from hamkit.matrix.walk import Progressing, RowPlan, Settings, Walk
from hamkit.stage import Verdict

COLUMNS = ("facts", "patch", "configures", "builds", "boots")
ROWS = tuple(RowSpec(name, "2.4", name) for name in ("a", "b", "c"))


@dataclass
class Bench:
    """Nodes that count how often they ran, and what they answer where it is not a pass."""

    ran: Counter[tuple[str, str]] = field(default_factory=Counter)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    raising: dict[tuple[str, str], BaseException] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    def answer(self, task: Task) -> Answer:
        name, columns = task.node, next(n.columns for n in self.nodes() if n.name == task.node)
        self.ran[task.row.name, name] += 1
        if bad := self.raising.get((task.row.name, name)):
            raise bad
        cells = []
        for column in columns:
            verdict = self.verdicts.get((task.row.name, column), Verdict.PASS)
            text = Text(name="log", digest="0" * 64)
            cells.append(Cell(column=column, verdict=verdict, detail=f"{column} says", texts=(text,)))
            if verdict is not Verdict.PASS:
                break
        return Answer(tuple(cells), self.made.get(name, f"{name} made"), {"0" * 64: "text"})

    def nodes(self) -> tuple[Node, ...]:
        passes = frozenset({Verdict.PASS})
        return (
            Node("facts", ("facts",), ()),
            Node("patch", ("patch",), ("facts",)),
            Node("kernel", ("configures", "builds"), ("patch",)),
            Node("boot", ("boots",), ("kernel", "facts"), lasting=passes),
        )


class Threads:
    """An executor of threads; ``stop`` waits."""

    def __init__(self, work: Callable[[Task], Answer], slots: int = 2) -> None:
        self._pool = ThreadPoolExecutor(slots)
        self._work = work
        self.slots = slots

    def submit(self, task: Task) -> Future[Answer]:
        return self._pool.submit(self._work, task)

    def stop(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)


SAME = dict.fromkeys(Bench().nodes(), "code")


def walk(
    bench: Bench,
    folder: Path,
    makers: dict[str, str] | None = None,
    rows: tuple[RowSpec, ...] = ROWS,
    **more: bool,
) -> Progressing:
    nodes = bench.nodes()
    plans = [RowPlan(row, nodes, f"tree {row.name}") for row in rows]
    changed = {node: (makers or {}).get(node.name, "code") for node in nodes}
    settings = Settings(changed, SAME, {}, **more)
    walking = Walk(plans, settings, AnswerCache(folder), Threads(bench.answer), lambda _: None)
    walking.go()
    return walking.state


def cell(state: Progressing, row: str, column: str) -> Cell:
    return next(
        c for (name, _), a in state.answers.items() if name == row for c in a.cells if c.column == column
    )


def test_all_of_it_then_nothing(tmp_path: Path) -> None:
    bench = Bench()
    first = walk(bench, tmp_path)
    assert (first.computed.total(), first.cached) == (15, 0)
    assert set(bench.ran.values()) == {1}
    second = walk(bench, tmp_path)
    assert (second.computed.total(), second.cached) == (0, 15)
    assert set(bench.ran.values()) == {1}
    assert cell(second, "a", "builds").model_copy(update={"cached": False}) == cell(first, "a", "builds")
    assert second.answers["a", "boot"].texts == {"0" * 64: "text"}


def test_a_change_recomputes_what_depends_on_it(tmp_path: Path) -> None:
    bench = Bench()
    walk(bench, tmp_path)
    bench.ran.clear()
    bench.made["patch"] = "another series"
    state = walk(bench, tmp_path, {"patch": "changed code"})
    assert {node for _, node in bench.ran} == {"patch", "kernel"}  # whose kernel came out as it was
    assert (state.computed.total(), state.cached) == (9, 6)


def test_a_change_without_effect_stops_where_it_has_none(tmp_path: Path) -> None:
    bench = Bench()
    walk(bench, tmp_path)
    bench.ran.clear()
    state = walk(bench, tmp_path, {"patch": "changed code"})
    assert {node for _, node in bench.ran} == {"patch"}
    assert (state.computed.total(), state.cached) == (3, 12)


def test_another_row_is_another_answer(tmp_path: Path) -> None:
    bench = Bench()
    walk(bench, tmp_path, rows=ROWS[:2])
    walk(bench, tmp_path)
    assert set(bench.ran.values()) == {1}
    assert len(bench.ran) == 12


def test_failure_leaves_the_rest_of_its_row_not_run(tmp_path: Path) -> None:
    bench = Bench(verdicts={("b", "configures"): Verdict.FAIL})
    state = walk(bench, tmp_path)
    assert cell(state, "b", "configures").verdict is Verdict.FAIL
    assert cell(state, "b", "builds").verdict is Verdict.NOT_RUN
    assert cell(state, "b", "builds").detail == "needs configures, which failed"
    assert cell(state, "b", "boots").verdict is Verdict.NOT_RUN
    assert cell(state, "b", "boots").detail == "needs configures, which failed"
    assert cell(state, "c", "boots").verdict is Verdict.PASS
    assert bench.ran["b", "boot"] == 0


def test_unsupported_goes_down_the_row_with_its_reason(tmp_path: Path) -> None:
    bench = Bench(verdicts={("a", "facts"): Verdict.UNSUPPORTED})
    state = walk(bench, tmp_path)
    seen = {(cell(state, "a", c).verdict, cell(state, "a", c).detail) for c in COLUMNS}
    assert seen == {(Verdict.UNSUPPORTED, "facts says")}
    assert sum(count for (row, _), count in bench.ran.items() if row == "a") == 1


def test_what_is_missing_is_said_down_the_row(tmp_path: Path) -> None:
    bench = Bench(raising={("a", "kernel"): MissingNeed("no compiler", "install one")})
    state = walk(bench, tmp_path)
    assert cell(state, "a", "configures").verdict is Verdict.NOT_RUN
    assert cell(state, "a", "configures").detail == "no compiler"
    assert cell(state, "a", "boots").detail == "needs kernel: no compiler"
    bench.raising.clear()
    walk(bench, tmp_path)
    assert bench.ran["a", "kernel"] == 2  # what could not run is no answer to keep
    assert bench.ran["b", "kernel"] == 1


def test_a_worker_s_own_mistake_is_a_failed_cell(tmp_path: Path) -> None:
    state = walk(Bench(raising={("a", "patch"): KeyError("x")}), tmp_path)
    assert cell(state, "a", "patch").verdict is Verdict.FAIL
    assert "KeyError" in cell(state, "a", "patch").detail


def test_failures_of_bytes_last_and_those_of_a_boot_do_not(tmp_path: Path) -> None:
    bench = Bench(verdicts={("a", "builds"): Verdict.FAIL, ("b", "boots"): Verdict.FAIL})
    walk(bench, tmp_path)
    walk(bench, tmp_path)
    assert bench.ran["a", "kernel"] == 1
    assert bench.ran["b", "boot"] == 2


def test_renew_asks_everything_again(tmp_path: Path) -> None:
    bench = Bench()
    walk(bench, tmp_path)
    state = walk(bench, tmp_path, renew=True)
    assert set(bench.ran.values()) == {2}
    assert state.cached == 0


def test_fail_fast_stops_giving_out_work(tmp_path: Path) -> None:
    rows = tuple(RowSpec(f"row{n}", "2.4", f"row{n}") for n in range(20))
    bench = Bench(verdicts={(row.name, "facts"): Verdict.FAIL for row in rows})
    state = walk(bench, tmp_path, rows=rows, fail_fast=True)
    assert sum(bench.ran.values()) <= 4
    assert "stopped: row" in cell(state, "row19", "facts").detail
    assert cell(state, "row19", "facts").verdict is Verdict.NOT_RUN


def test_interruption_leaves_every_cell_with_an_answer(tmp_path: Path) -> None:
    bench, nodes = Bench(), Bench().nodes()
    plans = [RowPlan(row, bench.nodes(), f"tree {row.name}") for row in ROWS]
    seen = threading.Event()

    def watch(state: Progressing) -> None:
        if state.answers and not seen.is_set():
            seen.set()
            raise KeyboardInterrupt

    walking = Walk(plans, Settings(SAME, SAME, {}), AnswerCache(tmp_path), Threads(bench.answer), watch)
    with pytest.raises(KeyboardInterrupt):
        walking.go()
    assert len(walking.state.answers) == len(ROWS) * len(nodes)
    missing = [c for a in walking.state.answers.values() for c in a.cells if c.verdict is Verdict.NOT_RUN]
    assert missing
    assert all("interrupted" in c.detail for c in missing)
    again = walk(bench, tmp_path)
    assert again.cached > 0  # a run that was cut off is taken up where it was
    assert all(c.verdict is Verdict.PASS for a in again.answers.values() for c in a.cells)


def test_damaged_cache_entries_count_as_unknown(tmp_path: Path) -> None:
    bench = Bench()
    walk(bench, tmp_path)
    for path in tmp_path.rglob("*.gz"):
        path.write_bytes(path.read_bytes()[:20])
    walk(bench, tmp_path)
    assert set(bench.ran.values()) == {2}


def test_nodes_for_columns_are_those_and_what_they_need() -> None:
    nodes = Bench().nodes()
    assert [n.name for n in wanted_nodes(nodes, ("patch",))] == ["facts", "patch"]
    assert [n.name for n in wanted_nodes(nodes, ("boots",))] == ["facts", "patch", "kernel", "boot"]


def test_every_part_of_a_key_counts() -> None:
    node, before = Bench().nodes()[1], [Answer((), "made")]
    base = key_of(node, "tree", before, "code", "tools", {"highmem": "4G"})
    others = [
        key_of(replace(node, name="other"), "tree", before, "code", "tools", {"highmem": "4G"}),
        key_of(node, "tree2", before, "code", "tools", {"highmem": "4G"}),
        key_of(node, "tree", [Answer((), "made2")], "code", "tools", {"highmem": "4G"}),
        key_of(node, "tree", before, "code2", "tools", {"highmem": "4G"}),
        key_of(node, "tree", before, "code", "tools2", {"highmem": "4G"}),
        key_of(node, "tree", before, "code", "tools", {"highmem": "64G"}),
    ]
    assert base == key_of(node, "tree", before, "code", "tools", {"highmem": "4G"})
    assert len({base, *others}) == 7
