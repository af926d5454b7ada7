"""Local workers: real processes that fail, die and are stopped."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.matrix.execute import LocalExecutor, make
from hamkit.matrix.graph import Answer, Task
from hamkit.matrix.record import Cell
from hamkit.matrix.rows import RowSpec
from hamkit.run import run
from hamkit.stage import Verdict

SECONDS = 60.0


def task(do: str, folder: Path) -> Task:
    return Task(RowSpec("row", "2.4", "row"), do, {"folder": str(folder)})


def work(task: Task) -> Answer:
    """What the workers of these tests do, by the name of the node."""
    folder = Path(task.options["folder"])
    if task.node == "die once" and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if task.node == "always die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task.node == "raise":
        raise ValueError("no such thing")
    if task.node == "sleep":
        (folder / "pid").write_text(str(os.getpid()))
        run(["sleep", "600"])
    return Answer((Cell(column="facts", verdict=Verdict.PASS, detail=task.node),))


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor(work, 2)


def test_answers_and_exceptions_come_back(executor: LocalExecutor, tmp_path: Path) -> None:
    try:
        assert executor.submit(task("ok", tmp_path)).result(SECONDS).cells[0].detail == "ok"
        with pytest.raises(ValueError, match="no such thing"):
            executor.submit(task("raise", tmp_path)).result(SECONDS)
    finally:
        executor.stop()


def test_a_worker_that_dies_costs_time_only(executor: LocalExecutor, tmp_path: Path) -> None:
    try:
        found = [executor.submit(task(name, tmp_path)) for name in ("die once", "ok", "ok")]
        assert [f.result(SECONDS).verdict for f in found] == [Verdict.PASS] * 3
        assert (tmp_path / "died").exists()
    finally:
        executor.stop()


def test_a_task_that_kills_every_worker_is_given_up(executor: LocalExecutor, tmp_path: Path) -> None:
    try:
        with pytest.raises(Exception, match="abruptly"):
            executor.submit(task("always die", tmp_path)).result(SECONDS)
    finally:
        executor.stop()


def test_stopping_leaves_no_process(executor: LocalExecutor, tmp_path: Path) -> None:
    executor.submit(task("sleep", tmp_path))
    end = time.monotonic() + SECONDS
    while not (tmp_path / "pid").exists() and time.monotonic() < end:
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    time.sleep(0.5)
    executor.stop()
    assert not Path("/proc", str(worker)).exists()
    left = run(["pgrep", "-f", "^sleep 600$"], package="procps", check=False).stdout.split()
    assert [pid for pid in left if os.getsid(int(pid)) == worker] == []


def test_no_jobs_is_a_mistake() -> None:
    with pytest.raises(UserError, match="runs nothing"):
        make(work, 0, "")
