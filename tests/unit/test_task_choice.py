"""Which tasks a command line has loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hamkit.files import project_root
from hamkit.tasks import choice
from tests.unit.old_compiler import compiler

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


def imported_by(words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {words}; print(*sys.modules)"],
        cwd=project_root(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.splitlines()[-1].split())


def test_the_matrix_needs_neither_docker_nor_bills_of_materials() -> None:
    heavy = {"docker", "requests", "cyclonedx", "elftools", "hamkit.courses.linux24"}
    assert heavy.isdisjoint(imported_by("import hamkit.tasks.matrix"))


HEAVY = {"docker", "requests", "urllib3", "cyclonedx", "securesystemslib", "distributed", "pygments"}


def test_a_boot_of_a_tree_imports_no_docker(cache: Path) -> None:
    """Its plan, from the command line on: what a distribution's pipeline is made of stays where it is."""
    compiler(cache / "toolchains" / "gcc-2.95.3" / "bin")
    small = project_root() / "tests" / "data" / "kernel" / "small24"
    seen = imported_by(
        f"sys.argv = ['invoke', '--search-root', '.', 'boot', '--tree', {str(small)!r}, '--dry-run']; "
        "from contextlib import suppress; from invoke.main import program\n"
        "with suppress(SystemExit): program.run()\n"
        "import hamkit.tasks.proof"
    )
    assert "hamkit.courses.linux24" in seen
    assert (HEAVY | {"hamkit.courses.distribution", "hamkit.courses.overhead", "hamkit.doctor"}).isdisjoint(
        seen
    )


@pytest.mark.parametrize("module", ["kernels", "proof", "matrix"])
def test_no_task_waits_for_what_few_need(module: str) -> None:
    assert HEAVY.isdisjoint(imported_by(f"import hamkit.tasks.{module}"))
