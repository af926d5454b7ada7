"""The course of a run: its stages with how each ended, its logs, and one run at a time for one subject."""

from __future__ import annotations

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from hamkit.errors import HamkitError, MissingNeed
from hamkit.files import cache_root
from hamkit.progress import Progress
from hamkit.prove.boot import BootResult
from hamkit.prove.comparison import Comparison
from hamkit.stage import StageResult, Stopwatch, Verdict

T = TypeVar("T")
STAMP = "%Y%m%dT%H%M%S"
NUMBERS = count(1)  # of the runs of this process that are kept


@dataclass(frozen=True)
class Planned:
    """One line of a dry run."""

    stage: str
    action: str
    cached: bool


class Course(ABC):
    """What pipelines have in common. A subclass says what it is about in ``subject``, a word for file names,
    and whether this run's logs are kept in ``keep``."""

    progress: Progress
    watch: Callable[[StageResult], None]
    results: list[StageResult]

    @property
    @abstractmethod
    def subject(self) -> str: ...

    @property
    @abstractmethod
    def keep(self) -> bool: ...

    @cached_property
    def logs(self) -> Path:
        """Where this run's logs lie; the next run for the subject replaces what is not kept, so that one
        must be ``locked``."""
        own = f"-{time.strftime(STAMP)}-{os.getpid()}.{next(NUMBERS)}" if self.keep else ""
        return cache_root() / "runs" / f"{self.subject}{own}"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One run at a time for a subject; a second one waits and says so."""
        folder = cache_root() / "locks"
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / f"{self.subject}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.progress.note(f"another run for {self.subject} is under way, waiting for it")
            lock.acquire()
        try:
            if not self.keep:
                shutil.rmtree(self.logs, ignore_errors=True)
            yield
        finally:
            lock.release()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Records a stage that ends with an error before the error goes on its way."""
        watch = Stopwatch()
        try:
            yield
        except HamkitError as bad:
            verdict = Verdict.NOT_RUN if isinstance(bad, MissingNeed) else Verdict.FAIL
            self.tell(StageResult(name, verdict, watch.seconds, bad.message))
            raise

    def ended(self, made: T, stage: StageResult) -> T:
        self.tell(stage)
        return made

    def tell(self, stage: StageResult) -> None:
        self.results.append(stage)
        self.watch(stage)


class ProvingCourse(Course):
    """A course that ends with a boot held against the model."""

    @property
    @abstractmethod
    def booted(self) -> BootResult: ...

    @abstractmethod
    def compare(self, console: str, booted: BootResult) -> Comparison:
        """What was seen against what the model expects; ``console`` is the console's log as text."""

    @cached_property
    def proved(self) -> Comparison:
        booted, watch = self.booted, Stopwatch()
        with self.stage("prove"):
            if booted.stage.verdict is not Verdict.PASS:
                raise MissingNeed("there is no whole run to compare", booted.stage.detail)
            made = self.compare(booted.console_log.read_text(encoding="utf-8", errors="replace"), booted)
        return self.ended(made, _prove_stage(made, watch.seconds))


def _prove_stage(made: Comparison, seconds: float) -> StageResult:
    """The comparison as a stage, with its first disagreement in words."""
    bad = [c for c in made.checks if c.verdict is not Verdict.PASS]
    detail = f"{len(made.checks) - len(bad)} of {len(made.checks)} checks agree with the model"
    if bad:
        detail += f"; first: step {bad[0].step}, {bad[0].title}: {bad[0].seen}, not {bad[0].expected}"
    return StageResult("prove", made.verdict, seconds, detail)
