"""Fixtures of the tests that run the real thing; they use the same cache as a user's run."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit import scenarios, specs
from hamkit.build.engine import Engine
from hamkit.build.image import Image
from hamkit.errors import MissingNeed
from hamkit.pipeline import Pipeline, Request
from hamkit.progress import Quiet
from hamkit.run import find


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
    """One pipeline for each distribution and kind of build, so that a session builds once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], Pipeline] = {}

    def get(self, distro: str, testing: bool = False) -> Pipeline:
        key = (distro, testing)
        if key not in self._made:
            request = Request(specs.load(distro), scenarios.load(), testing=testing)
            self._made[key] = Pipeline(request, Quiet())
        return self._made[key]


@pytest.fixture(scope="session")
def pipelines(engine: Engine, qemu: Path) -> Pipelines:
    return Pipelines()


@pytest.fixture(scope="session")
def debian12(pipelines: Pipelines) -> Pipeline:
    """Debian 12, whose image and packages most real tests use."""
    return pipelines.get("debian-12")


@pytest.fixture(scope="session")
def image12(debian12: Pipeline) -> Image:
    return debian12.image
