"""The walk over the whole graph: what can be taken from the cache is, the rest is given to the executor."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass, field

from hamkit.errors import MissingNeed
from hamkit.matrix.cache import AnswerCache
from hamkit.matrix.execute import Executor, explained
from hamkit.matrix.graph import Answer, Node, Task, key_of, passed_on, stopped
from hamkit.matrix.record import Cell
from hamkit.matrix.rows import RowSpec
from hamkit.stage import Verdict

TICK = 0.2  # seconds between signs of life to who watches


@dataclass(frozen=True)
class RowPlan:
    """A row, the nodes that are asked of it in order, and the digest of what it is about."""

    row: RowSpec
    nodes: tuple[Node, ...]
    digest: str


@dataclass(frozen=True)
class Settings:
    """``makers`` and ``tools``: by node, digests of code and of tools; ``renew``: without the cache."""

    makers: Mapping[Node, str]
    tools: Mapping[Node, str]
    options: Mapping[str, str]
    fail_fast: bool = False
    renew: bool = False


@dataclass
class Progressing:
    """What is known so far, for who watches: answers by row and node, and what runs now, since when."""

    plans: Sequence[RowPlan]
    answers: dict[tuple[str, str], Answer] = field(default_factory=dict)
    running: dict[tuple[str, str], float] = field(default_factory=dict)
    began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        return sum(len(plan.nodes) for plan in self.plans)

    @property
    def computed(self) -> Counter[str]:
        """Cells that this run found itself, by column."""
        return Counter(c.column for a in self.answers.values() for c in a.cells if c.key and not c.cached)

    @property
    def cached(self) -> int:
        return sum(1 for a in self.answers.values() for c in a.cells if c.cached)


Watch = Callable[[Progressing], None]


class Walk:
    """One walk. ``go`` returns when every node has an answer, or when it is interrupted."""

    def __init__(
        self,
        plans: Sequence[RowPlan],
        settings: Settings,
        cache: AnswerCache,
        executor: Executor,
        watch: Watch,
    ) -> None:
        self.state = Progressing(plans)
        self._settings, self._cache, self._executor, self._watch = settings, cache, executor, watch
        self._flying: dict[Future[Answer], tuple[RowPlan, Node, str]] = {}
        self._waiting: list[tuple[RowPlan, Node, str]] = []
        self._stop = ""

    def go(self) -> None:
        try:
            for plan in self.state.plans:
                self._advance(plan)
            self._fill()
            while self._flying:
                done, _ = wait(self._flying, timeout=TICK, return_when=FIRST_COMPLETED)
                for future in done:
                    self._land(future)
                self._fill()
                self._watch(self.state)
        except BaseException:
            self._stop = self._stop or "interrupted"
            raise
        finally:
            self._executor.stop()
            self._close()
            self._watch(self.state)

    def _advance(self, plan: RowPlan) -> None:
        """Answer every node of a row that can be answered without work; queue those that cannot."""
        queued = {(p.row.name, n.name) for p, n, _ in (*self._waiting, *self._flying.values())}
        for node in plan.nodes:
            place = (plan.row.name, node.name)
            if place in self.state.answers or place in queued:
                continue
            before = [(need, self.state.answers.get((plan.row.name, need))) for need in node.needs]
            known = [(need, answer) for need, answer in before if answer is not None]
            answer = passed_on(node, known)
            if answer is None and len(known) == len(before):
                answer = self._look_up(plan, node, [answer for _, answer in known])
            if answer is not None:
                self._take(place, node, answer)

    def _look_up(self, plan: RowPlan, node: Node, before: list[Answer]) -> Answer | None:
        settings = self._settings
        makers, tools = settings.makers[node], settings.tools[node]
        key = key_of(node, plan.digest, before, makers, tools, settings.options)
        found = None if settings.renew or not node.lasting else self._cache.find(key)
        if found is None:
            self._waiting.append((plan, node, key))
        return found

    def _fill(self) -> None:
        """Rows that are nearest to their end go first, so that answers become whole early."""
        self._waiting.sort(key=lambda item: -item[0].nodes.index(item[1]))
        while self._waiting and len(self._flying) < self._executor.slots and not self._stop:
            plan, node, key = self._waiting.pop(0)
            future = self._executor.submit(Task(plan.row, node.name, self._settings.options))
            self._flying[future] = (plan, node, key)
            self.state.running[(plan.row.name, node.name)] = time.monotonic()

    def _land(self, future: Future[Answer]) -> None:
        plan, node, key = self._flying.pop(future)
        place = (plan.row.name, node.name)
        self.state.running.pop(place, None)
        try:
            answer = future.result().keyed(key, cached=False)
            if answer.verdict in node.lasting:
                self._cache.keep(key, answer)
        except CancelledError:
            answer = stopped(node, self._stop or "the worker was stopped")
        except Exception as bad:  # noqa: BLE001 - whatever a worker dies of is an answer, not our end
            verdict = Verdict.NOT_RUN if isinstance(bad, MissingNeed) else Verdict.FAIL
            answer = Answer(
                tuple(Cell(column=c, verdict=verdict, detail=explained(bad)) for c in node.columns)
            )
        self._take(place, node, answer)
        self._advance(plan)

    def _take(self, place: tuple[str, str], node: Node, answer: Answer) -> None:
        """Cells that the node did not reach are said to be so."""
        there = {cell.column for cell in answer.cells}
        missing = [column for column in node.columns if column not in there]
        if missing:
            last = answer.cells[-1]
            ended = "failed" if last.verdict is Verdict.FAIL else "did not run"
            why = f"needs {last.column}, which {ended}"
            rest = (Cell(column=c, verdict=Verdict.NOT_RUN, detail=why) for c in missing)
            answer = Answer((*answer.cells, *rest), answer.digest, answer.texts, answer.title, answer.origin)
        self.state.answers[place] = answer
        if self._settings.fail_fast and answer.verdict is Verdict.FAIL and not self._stop:
            self._stop = f"stopped: {place[0]} failed at {node.name}"

    def _close(self) -> None:
        """Every node gets an answer, so that what is shown is whole."""
        for future in list(self._flying):
            if future.done() and not future.cancelled() and future.exception() is None:
                self._land(future)
        self.state.running.clear()
        for plan in self.state.plans:
            for node in plan.nodes:
                place = (plan.row.name, node.name)
                if place not in self.state.answers:
                    self.state.answers[place] = stopped(node, self._stop or "not reached")
