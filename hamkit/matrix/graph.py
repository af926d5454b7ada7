"""Which answer needs which, and the walk over all of them: from the cache, or computed, or not to be had.

A node answers one or more columns of a row. Its key covers all that the answer depends
on: the code that makes it, its row's digest, the versions of its tools, the digests of
the answers before it. So a change recomputes what depends on it, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hamkit.files import sha256_text
from hamkit.matrix.record import Cell
from hamkit.matrix.rows import RowSpec
from hamkit.stage import Verdict


@dataclass(frozen=True)
class Task:
    """What a worker gets: plain data, so that it can be another process or machine."""

    row: RowSpec
    node: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """Cells of one node. ``digest`` stands for what it made: the next nodes' keys contain it.

    ``texts``: digest to text of every text that the cells name. ``title`` and ``origin`` of the row, from
    the node that identifies it.
    """

    cells: tuple[Cell, ...]
    digest: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    origin: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of the cells."""
        found = {cell.verdict for cell in self.cells}
        order = (Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNSUPPORTED)
        return next((verdict for verdict in order if verdict in found), Verdict.PASS)

    @property
    def seconds(self) -> float:
        return sum(cell.seconds for cell in self.cells)

    def keyed(self, key: str, cached: bool) -> Answer:
        cells = tuple(cell.model_copy(update={"key": key, "cached": cached}) for cell in self.cells)
        return replace(self, cells=cells)


@dataclass(frozen=True)
class Node:
    """``columns`` it answers, ``needs`` (nodes that must have passed), ``makers``: files and folders of the
    project whose content its answer depends on, ``tools``: names of tools likewise.

    ``lasting`` says what may be cached: passes only, failures too (they come from the same
    bytes), or nothing.
    """

    name: str
    columns: tuple[str, ...]
    needs: tuple[str, ...]
    makers: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    lasting: frozenset[Verdict] = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.UNSUPPORTED})


def key_of(
    node: Node, row_digest: str, before: Sequence[Answer], makers: str, tools: str, options: Mapping[str, str]
) -> str:
    """The digest of all that a node's answer depends on."""
    said = [f"{name}={value}" for name, value in sorted(options.items())]
    return sha256_text(node.name, row_digest, makers, tools, *said, *(a.digest for a in before))


def wanted_nodes(nodes: Sequence[Node], columns: Sequence[str]) -> tuple[Node, ...]:
    """The nodes that answer the columns, with all that they need, in their order."""
    names = {node.name for node in nodes if set(node.columns) & set(columns)}
    by_name = {node.name: node for node in nodes}
    todo = list(names)
    while todo:
        for need in by_name[todo.pop()].needs:
            if need not in names:
                names.add(need)
                todo.append(need)
    return tuple(node for node in nodes if node.name in names)


def passed_on(node: Node, before: Sequence[tuple[str, Answer]]) -> Answer | None:
    """What a node answers without being run, since one before it did not pass; None when all did."""
    for name, answer in before:
        if answer.verdict is Verdict.UNSUPPORTED:
            reason = next(c.detail for c in answer.cells if c.verdict is Verdict.UNSUPPORTED)
            return _all(node, Verdict.UNSUPPORTED, reason)
        if answer.verdict is Verdict.FAIL:
            failed = next(c.column for c in answer.cells if c.verdict is Verdict.FAIL)
            return _all(node, Verdict.NOT_RUN, f"needs {failed}, which failed")
        if answer.verdict is Verdict.NOT_RUN:
            reason = next(c.detail for c in answer.cells if c.verdict is Verdict.NOT_RUN)
            return _all(
                node, Verdict.NOT_RUN, reason if reason.startswith("needs") else f"needs {name}: {reason}"
            )
    return None


def stopped(node: Node, why: str) -> Answer:
    """What a node answers that was never reached."""
    return _all(node, Verdict.NOT_RUN, why)


def _all(node: Node, verdict: Verdict, detail: str) -> Answer:
    return Answer(tuple(Cell(column=column, verdict=verdict, detail=detail) for column in node.columns))
