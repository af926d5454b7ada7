"""Fixtures that more than one file of unit tests uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .ham_driver import Drive, compile_driver, send


@pytest.fixture(scope="session")
def core_driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core of HAM with its driver, compiled for the host."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    return compile_driver(tmp_path_factory.mktemp("core") / "driver")


@pytest.fixture(scope="session")
def drive(core_driver: Path) -> Drive:
    """Runs commands and returns what the driver printed."""
    return lambda commands: send(core_driver, commands)


@pytest.fixture(autouse=True)
def own_cache(cache: Path) -> None:
    """What lies in the user's cache changes no unit test."""
