"""A boot as three answers: did the kernel come up, did it take the memory, does the model agree."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from hamkit.matrix.answers import Texts, of_stage
from hamkit.matrix.graph import Answer
from hamkit.matrix.record import Cell
from hamkit.prove.boot import BootResult
from hamkit.prove.comparison import Comparison
from hamkit.prove.console import State
from hamkit.publish.record import comparison_record
from hamkit.stage import StageResult, Verdict

UP = (State.INIT, State.SCENARIO, State.DONE)
MOST_CHECKS = 20  # disagreements that are kept


class Booting(Protocol):
    """What the pipelines of both lines have in common here."""

    results: list[StageResult]

    @property
    def logs(self) -> Path: ...

    @property
    def booted(self) -> BootResult: ...

    @property
    def proved(self) -> Comparison: ...


def boot_cells(pipeline: Booting, texts: Texts) -> Answer:
    """Boot, and hold what was seen against the model. Raises what the stages raise."""
    with _cleared(pipeline):
        booted = pipeline.booted
        logs = texts.log(booted.console_log)
        stage = booted.stage
        came_up = booted.console.state in UP
        boots = Cell(
            column="boots",
            verdict=Verdict.PASS if came_up else Verdict.FAIL,
            detail=texts.hide(_when(booted) if came_up else stage.detail),
            seconds=stage.seconds,
            texts=logs,
        )
        if not came_up:
            return Answer((boots,), texts=texts.by_digest)
        adds = of_stage("adds", stage, texts).model_copy(update={"seconds": 0.0, "texts": logs})
        if stage.verdict is not Verdict.PASS:
            return Answer((boots, adds), texts=texts.by_digest)
        model = _model(pipeline.proved, pipeline.results[-1], texts)
        return Answer((boots, adds, model), texts=texts.by_digest)


def _when(booted: BootResult) -> str:
    seconds = booted.timeline.get(State.INIT.value)
    return "init runs" if seconds is None else f"init runs after {seconds:.1f} s"


def _model(comparison: Comparison, stage: StageResult, texts: Texts) -> Cell:
    record = comparison_record(comparison)
    wrong = [check for check in record.checks if check.verdict is not Verdict.PASS]
    return of_stage("model", stage, texts, steps=record.steps, checks=tuple(wrong[:MOST_CHECKS]))


@contextmanager
def _cleared(pipeline: Booting) -> Iterator[None]:
    """What is worth keeping of a run is in the answer; its folder goes."""
    try:
        yield
    finally:
        shutil.rmtree(pipeline.logs, ignore_errors=True)
