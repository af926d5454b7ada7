"""Fixtures of the tests that run the real thing; they use the same cache as a user's run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from hamkit import scenarios, specs
from hamkit.build.engine import Engine
from hamkit.build.image import Image
from hamkit.courses.distribution import Pipeline, Request
from hamkit.errors import MissingNeed
from hamkit.files import cache_root
from hamkit.progress import Quiet
from hamkit.run import find

ALONE = (
    *("test_matrix_dask", "test_matrix_page", "test_old_rpm", "test_page", "test_rpm_repository"),
    *("test_kernel24", "test_series"),
)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lanes for two processes, each one test after the other: what needs Docker Engine, what boots Linux 2.4
    in kept runs, and files that share neither with others."""
    for item in items:
        if item.path.stem in ALONE:
            lane = item.path.stem
        elif item.get_closest_marker("kernels24") and "engine" not in getattr(item, "fixturenames", ()):
            lane = "trees"
        else:
            lane = "engine"
        item.add_marker(pytest.mark.xdist_group(lane))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Without their lanes tests disturb each other: xdist shows a test's group at the end of its name."""
    astray = [item.nodeid for item in session.items if "@" not in item.nodeid.rpartition("]")[2]]
    if session.config.getoption("loadgroup", False) and astray:
        raise pytest.UsageError(f"pytest-xdist put {astray[0]} into no lane: pytest {pytest.__version__}")


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The Docker Engine; without one the test is skipped, saying what to do."""
    try:
        return Engine.connect()
    except MissingNeed as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def qemu() -> Path:
    """QEMU; without it the test is skipped, saying what to install."""
    try:
        return find("qemu-system-x86_64", "qemu-system-x86")
    except MissingNeed as missing:
        pytest.skip(str(missing))


class Pipelines:
    """One pipeline for each distribution, its packages built once for all processes of the session."""

    def __init__(self) -> None:
        self._made: dict[str, Pipeline] = {}

    def get(self, distro: str) -> Pipeline:
        if distro not in self._made:
            run = Pipeline(Request(specs.load(distro), scenarios.load(), keep=True), Quiet())
            locks = cache_root() / "locks"
            locks.mkdir(exist_ok=True)
            with FileLock(locks / f"tests-{distro}.lock"):
                run.image  # noqa: B018 - asking makes it
                run.rpms  # noqa: B018
            self._made[distro] = run
        return self._made[distro]


@pytest.fixture(scope="session")
def pipelines(engine: Engine, qemu: Path) -> Pipelines:
    return Pipelines()


@pytest.fixture(scope="session", autouse=True)
def _logs() -> Iterator[None]:
    """What the session's runs kept goes with it."""
    yield
    for folder in (cache_root() / "runs").glob(f"*-{os.getpid()}.*"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def debian12(pipelines: Pipelines) -> Pipeline:
    """Debian 12, whose image and packages most real tests use."""
    return pipelines.get("debian-12")


@pytest.fixture(scope="session")
def image12(debian12: Pipeline) -> Image:
    return debian12.image
