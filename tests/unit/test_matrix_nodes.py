"""What an edit of the project recomputes: the questions of both lines, answered by their makers."""

from __future__ import annotations

import shutil
from concurrent.futures import Future
from pathlib import Path

import pytest

from hamkit.files import project_root
from hamkit.matrix import cache, mainline, trees
from hamkit.matrix.cache import AnswerCache, makers_digests
from hamkit.matrix.columns import COLUMNS, OVERHEAD
from hamkit.matrix.graph import Answer, Node, Task
from hamkit.matrix.nodes import DISTRIBUTIONS, LINES, TREES
from hamkit.matrix.record import Cell
from hamkit.matrix.rows import RowSpec
from hamkit.matrix.walk import RowPlan, Settings, Walk
from hamkit.stage import Verdict

ROWS = (RowSpec("linux-2.4.13", "2.4", "linux-2.4.13"), RowSpec("debian-12", "mainline", "debian-12"))
ALL = {node for node in (*TREES, *DISTRIBUTIONS) if node.lasting}
AFTER_PATCH = {"patch", "kernel", "modules", "boot", "srpm", "rpm", "reproducible", "overhead"}
AFTER_SRPM = {"srpm", "rpm", "modules", "boot", "reproducible"}


class AtOnce:
    """An executor whose answers name what they come from, as if each edit changed what is made."""

    slots = 2

    def __init__(self, makers: dict[tuple[str, ...], str]) -> None:
        self._makers = makers

    def submit(self, task: Task) -> Future[Answer]:
        nodes = {node.name: node for node in LINES[task.row.line]}
        node = nodes[task.node]
        cells = tuple(Cell(column=column, verdict=Verdict.PASS) for column in node.columns)
        done: Future[Answer] = Future()
        done.set_result(Answer(cells, self._made(node, nodes)))
        return done

    def _made(self, node: Node, nodes: dict[str, Node]) -> str:
        return " ".join([self._makers[node.makers], *(self._made(nodes[n], nodes) for n in node.needs)])

    def stop(self) -> None:
        pass


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "project"
    without = shutil.ignore_patterns("__pycache__")
    for name in {maker.partition("/")[0] for node in (*TREES, *DISTRIBUTIONS) for maker in node.makers}:
        source = project_root() / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=without)
        else:
            copy.mkdir(exist_ok=True)
            shutil.copy(source, copy / name)
    monkeypatch.setattr(cache, "project_root", lambda: copy)
    return copy


def computed(folder: Path) -> set[tuple[str, str]]:
    """Line and name of each question that is not answered by the cache."""
    nodes: list[Node] = [*TREES, *DISTRIBUTIONS]
    makers = makers_digests({node.makers for node in nodes})
    settings = Settings({n: makers[n.makers] for n in nodes}, dict.fromkeys(nodes, "tools"), {})
    plans = [RowPlan(row, LINES[row.line], f"digest of {row.name}") for row in ROWS]
    walk = Walk(plans, settings, AnswerCache(folder), AtOnce(makers), lambda _: None)
    walk.go()
    lines = {row.name: row.line for row in ROWS}
    answers = walk.state.answers.items()
    return {(lines[row], name) for (row, name), a in answers if any(not c.cached for c in a.cells)}


def of(line: str, names: set[str]) -> set[tuple[str, str]]:
    return {(line, name) for name in names}


@pytest.mark.parametrize(
    ("file", "trees_again", "distributions_again"),
    [
        ("templates/spec/ham.spec.j2", {"srpm", "rpm"}, AFTER_SRPM),
        ("templates/kernel/mem_hotadd.c.j2", AFTER_PATCH, set()),
        ("templates/report/page.css", set(), set()),
        ("patches/series.toml", {"facts", *AFTER_PATCH}, set()),
        ("hamkit/model/i386.py", {"boot"}, {"boot"}),
        ("hamkit/prove/rpm/scan.py", {"rpm", "boot", "overhead"}, {"rpm", "boot"}),
        ("specs/limits/overhead.toml", {"srpm", "rpm", "overhead"}, set()),
        ("ham-src/core/ham_core.h", {"modules", "boot", "reproducible", "overhead"}, AFTER_SRPM),
        ("CHANGELOG.md", set(), AFTER_SRPM),
    ],
)
def test_a_line_more_recomputes_what_depends_on_it(
    project: Path, tmp_path: Path, file: str, trees_again: set[str], distributions_again: set[str]
) -> None:
    answers, always = tmp_path / "answers", of("mainline", {"image"})
    assert len(computed(answers)) == len(TREES) + len(DISTRIBUTIONS)
    assert computed(answers) == always  # the engine knows what images there are
    path = project / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as text:
        text.write("\n/* one line more */\n")
    again = computed(answers)
    assert again == of("2.4", trees_again) | of("mainline", distributions_again) | always


def test_every_question_has_one_who_answers_it() -> None:
    for nodes, asker in ((TREES, trees), (DISTRIBUTIONS, mainline)):
        assert {node.name for node in nodes} == set(asker.QUESTIONS)
        columns = [column for node in nodes for column in node.columns]
        assert sorted(columns) == sorted(column.name for column in (*COLUMNS, OVERHEAD))
        for node in nodes:
            assert asker.QUESTIONS[node.name][0] == node.columns[0]
            assert all((project_root() / maker).exists() for maker in node.makers)
