"""The matrix on other machines: a real scheduler, two worker processes, one of them killed in the middle."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hamkit.errors import MissingNeed, UserError
from hamkit.files import project_root
from hamkit.matrix.execute import DaskExecutor, dask_version
from hamkit.matrix.graph import Answer, Task
from hamkit.matrix.record import Cell
from hamkit.matrix.rows import RowSpec
from hamkit.run import spawn
from hamkit.stage import Verdict

pytestmark = pytest.mark.skipif(not dask_version(), reason="pip install 'hamkit[dask]'")
SECONDS = 120.0


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address, and the process ids of its workers."""

    address: str
    workers: tuple[int, ...]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """On the loopback interface, without dashboards and nannies: a worker that is killed stays dead."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    base = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    env = {"PYTHONPATH": str(project_root())}
    with ExitStack() as stack:
        scheduler = [*base, "--host", "127.0.0.1", "--port", str(port), "--no-dashboard", "--no-show"]
        stack.enter_context(spawn(scheduler, env=env))
        worker = [
            sys.executable,
            "-m",
            "distributed.cli.dask_worker",
            address,
            "--no-nanny",
            "--no-dashboard",
        ]
        worker += ["--nthreads", "1", "--host", "127.0.0.1"]
        started = [stack.enter_context(spawn(worker, env=env, cwd=project_root())) for _ in range(2)]
        wait_for_workers(address, 2)
        yield Cluster(address, tuple(process.pid for process in started))


def wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    end = time.monotonic() + SECONDS
    while True:
        try:
            with Client(address, timeout=5, set_as_default=False) as client:
                client.wait_for_workers(count, timeout=SECONDS)
                return
        except (OSError, TimeoutError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def work(task: Task) -> Answer:
    """Takes a moment, and leaves a note of who took it."""
    folder = Path(task.options["folder"])
    (folder / f"{task.row.name}-{os.getpid()}").touch()
    time.sleep(0.5)
    return Answer(
        (Cell(column="facts", verdict=Verdict.PASS, detail=task.row.name),), texts={"0" * 64: "log"}
    )


def tasks(folder: Path, count: int) -> list[Task]:
    return [Task(RowSpec(f"row{n}", "2.4", "x"), "facts", {"folder": str(folder)}) for n in range(count)]


def test_a_worker_that_dies_loses_nothing_but_time(cluster: Cluster, tmp_path: Path) -> None:
    executor = DaskExecutor(work, cluster.address)
    try:
        assert executor.slots == 2
        futures = [executor.submit(task) for task in tasks(tmp_path, 12)]
        futures[0].result(SECONDS)
        os.kill(cluster.workers[0], signal.SIGKILL)
        found = [future.result(SECONDS) for future in futures]
        assert [answer.cells[0].detail for answer in found] == [f"row{n}" for n in range(12)]
        assert all(answer.texts == {"0" * 64: "log"} for answer in found)
        assert len({path.name.rpartition("-")[2] for path in tmp_path.iterdir()}) == 2
    finally:
        executor.stop()


def test_a_scheduler_that_is_not_there() -> None:
    with pytest.raises(MissingNeed, match="no dask scheduler answers"):
        DaskExecutor(work, f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(UserError, match="is no scheduler's address"):
        DaskExecutor(work, "nonsense://x")
