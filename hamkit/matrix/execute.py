"""On what the nodes run: processes of this machine, or the workers of a dask scheduler.

An executor takes tasks and gives futures of the standard library. A worker process that
dies takes its task with it: the task is given out again, to a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import FrameType
from typing import Any, Protocol

from hamkit import __version__
from hamkit.errors import HamkitError, MissingNeed, UserError
from hamkit.matrix.graph import Answer, Task

TRIES = 3
CONNECT_SECONDS = 10
Work = Callable[[Task], Answer]


class Executor(Protocol):
    """Runs tasks somewhere. ``stop`` ends what is running; nothing of it outlives the call."""

    @property
    def slots(self) -> int: ...

    def submit(self, task: Task) -> Future[Answer]: ...

    def stop(self) -> None: ...


class LocalExecutor:
    """Processes of this machine, ``jobs`` at a time."""

    def __init__(self, work: Work, jobs: int) -> None:
        self._jobs = jobs
        self._work = work
        self._lock = threading.RLock()
        self._stopped = False
        self._started: ProcessPoolExecutor | None = None  # a run that finds all in the cache needs none

    @property
    def slots(self) -> int:
        return self._jobs

    def submit(self, task: Task) -> Future[Answer]:
        result: Future[Answer] = Future()
        self._give(task, result, TRIES)
        return result

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if self._started is None:
                return
            for process in list((self._started._processes or {}).values()):
                process.terminate()
            self._started.shutdown(wait=True, cancel_futures=True)

    def _pool(self, anew: bool = False) -> ProcessPoolExecutor:
        if self._started is None or anew:
            context = multiprocessing.get_context("forkserver")
            self._started = ProcessPoolExecutor(self._jobs, mp_context=context, initializer=_begin_worker)
        return self._started

    def _give(self, task: Task, result: Future[Answer], tries: int) -> None:
        with self._lock:
            if self._stopped:
                result.cancel()
                return
            try:
                inner = self._pool().submit(self._work, task)
            except BrokenProcessPool:
                inner = self._pool(anew=True).submit(self._work, task)
        inner.add_done_callback(lambda done: self._take(done, task, result, tries))

    def _take(self, done: Future[Answer], task: Task, result: Future[Answer], tries: int) -> None:
        if done.cancelled():
            result.cancel()
            return
        bad = done.exception()
        if isinstance(bad, BrokenProcessPool) and tries > 1 and not self._stopped:
            with self._lock:
                self._pool(anew=bool(getattr(self._started, "_broken", False)))
            self._give(task, result, tries - 1)
        elif bad is not None:
            result.set_exception(bad)
        else:
            result.set_result(done.result())


def _begin_worker() -> None:
    """A worker hears of an interruption from its driver only, and cleans up when told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_worker)


def _end_worker(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


class DaskExecutor:
    """Workers of a dask scheduler at ``address``, each in a checkout of the same hamkit."""

    def __init__(self, work: Work, address: str) -> None:
        self._client = _connect(address)
        self._work = work

    @property
    def slots(self) -> int:
        """Tasks that the workers of this moment run at a time: workers come and go."""
        threads: dict[str, int] = self._client.nthreads()
        return max(1, sum(threads.values()))

    def submit(self, task: Task) -> Future[Answer]:
        result: Future[Answer] = Future()
        inner = self._client.submit(_at_worker, __version__, self._work, task, pure=False, retries=TRIES - 1)
        inner.add_done_callback(lambda done: _copy(done, result))
        result.remote = inner  # type: ignore[attr-defined]  # dask forgets a result that nobody holds
        return result

    def stop(self) -> None:
        self._client.close(timeout=CONNECT_SECONDS)


def _connect(address: str) -> Any:
    try:
        from distributed import Client  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise MissingNeed("dask.distributed is not installed", "pip install 'hamkit[dask]'") from None
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except ValueError as bad:
        raise UserError(f"{address!r} is no scheduler's address: {bad}", "like tcp://HOST:8786") from bad
    except (OSError, TimeoutError) as bad:
        why = str(bad) or "no answer"
        raise MissingNeed(
            f"no dask scheduler answers at {address}: {why}", "start one: dask scheduler"
        ) from bad


def _at_worker(version: str, work: Work, task: Task) -> Answer:
    if version != __version__:
        raise MissingNeed(f"a worker runs hamkit {__version__}, not {version}", "update its checkout")
    return work(task)


def _copy(done: Any, result: Future[Answer]) -> None:
    if done.status == "finished":
        result.set_result(done.result())
    elif done.status == "cancelled":
        result.cancel()
    else:
        result.set_exception(_cause(done))


def _cause(done: Any) -> BaseException:
    try:
        bad: BaseException | None = done.exception()
    except CancelledError as gone:
        bad = gone
    return bad or MissingNeed("a worker gave no answer", "see the worker's log")


def dask_version() -> str:
    """The installed version; empty without it."""
    from importlib import metadata  # noqa: PLC0415 - costs more than a run that finds all in the cache can spare

    try:
        return metadata.version("distributed")
    except metadata.PackageNotFoundError:
        return ""


def processors() -> int:
    """How many tasks this machine can work on at a time."""
    return len(os.sched_getaffinity(0))


def make(work: Work, jobs: int, scheduler: str) -> Executor:
    """The executor that the command line asks for. Raises UserError, MissingNeed."""
    if scheduler:
        return DaskExecutor(work, scheduler)
    if jobs < 1:
        raise UserError(f"--jobs {jobs} runs nothing", "give 1 or more")
    return LocalExecutor(work, jobs)


def explained(bad: BaseException) -> str:
    """Why a task gave no answer, in one line."""
    if isinstance(bad, HamkitError):
        return bad.message
    return f"{type(bad).__name__}: {bad}".splitlines()[0] if str(bad) else type(bad).__name__


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
