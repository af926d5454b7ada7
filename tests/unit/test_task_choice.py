"""Which tasks a command line has loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hamkit.files import project_root
from hamkit.tasks import choice

EVERYTHING = tuple(choice.MODULES)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("matrix", "--until", "applies"), ("matrix",)),
        (("-e", "version.bump", "--part", "minor"), ("version.bump",)),
        (("specs", "model"), ("specs", "model")),
        (("--help", "boot"), ("boot",)),
        (("matrix", "build"), ("build", "matrix")),
        ((), EVERYTHING),
        (("paint",), EVERYTHING),
        (("--list",), EVERYTHING),
        (("--list-format=json", "--list", "matrix"), EVERYTHING),
        (("--complete", "--", "matrix"), EVERYTHING),
    ],
)
def test_words_choose(words: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    assert choice.chosen(("/somewhere/bin/invoke", *words)) == wanted
    assert choice.chosen(("/somewhere/invoke/__main__.py", *words)) == wanted


def test_another_program_gets_all() -> None:
    assert choice.chosen(("/somewhere/bin/pytest", "-k", "matrix")) == EVERYTHING


@pytest.mark.parametrize("name", EVERYTHING)
def test_every_task_is_where_it_is_said_to_be(name: str) -> None:
    assert choice.load(name).name == name.rpartition(".")[2]


def test_the_matrix_needs_neither_docker_nor_bills_of_materials() -> None:
    words = "import sys, hamkit.tasks.matrix; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=project_root(), capture_output=True, text=True, check=True
    )
    assert {"docker", "requests", "cyclonedx", "elftools", "hamkit.pipeline24"}.isdisjoint(
        done.stdout.split()
    )
