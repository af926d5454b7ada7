"""The rules of the house that no tool of ours checks (design: rooms, sizes, one place for each thing)."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamkit import doctor, scenarios, specs
from hamkit.files import project_root
from hamkit.lint import listed_files

ROOT = project_root()
LIBRARY = ROOT / "hamkit"
FLOW = ("render", "build", "prove", "publish")
LINES = 400
PROCESS_STARTERS = {"Popen", "run", "call", "check_call", "check_output", "getoutput", "getstatusoutput"}

TRACKED = listed_files(ROOT)
MODULES = [path for path in TRACKED if path.suffix == ".py" and path.is_relative_to(LIBRARY)]


def name_of(path: Path) -> str:
    """The dotted name of a module of the library."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    """``build`` for ``hamkit.build.engine``; empty for a module that lies in no room."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOW else ""


def ours(path: Path) -> Iterator[str]:
    """Modules of hamkit that a module imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("hamkit"))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hamkit"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_task(path: Path) -> bool:
    """Whether the module is one of the room that knows Invoke."""
    return path.is_relative_to(LIBRARY / "tasks")


def calls(path: Path) -> Iterator[str]:
    """What a module calls, as written: ``print``, ``sys.exit``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_data_moves_one_way(path: Path) -> None:
    here = room(name_of(path))
    backwards = [
        name for name in ours(path) if here and room(name) and FLOW.index(room(name)) > FLOW.index(here)
    ]
    assert backwards == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_model_and_errors_stand_alone(path: Path) -> None:
    module = name_of(path)
    if module == "hamkit.errors":
        assert list(ours(path)) == []
    if module.startswith("hamkit.model"):
        assert [name for name in ours(path) if not name.startswith("hamkit.model")] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_tasks_know_invoke(path: Path) -> None:
    if is_task(path):
        return
    assert not re.search(r"^\s*(from|import) invoke\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert [name for name in ours(path) if name.startswith("hamkit.tasks")] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_run_starts_processes(path: Path) -> None:
    if name_of(path) == "hamkit.run":
        return
    started = [
        call
        for call in calls(path)
        if call.startswith(("os.exec", "os.spawn", "os.posix_spawn", "os.system", "os.popen"))
        or (call.startswith("subprocess.") and call.split(".")[1] in PROCESS_STARTERS)
    ]
    assert started == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_the_library_does_not_talk_or_leave(path: Path) -> None:
    talking = {"sys.exit", "exit", "quit", "os._exit"}
    if name_of(path) != "hamkit.progress" and not is_task(path):
        talking.add("print")
    assert talking & set(calls(path)) == set()


def test_no_module_is_long() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in TRACKED if path.suffix == ".py"}
    assert {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > LINES} == {}


def test_every_c_file_says_its_licence() -> None:
    ours = [path for path in TRACKED if not path.is_relative_to(ROOT / "tests" / "data")]
    sources = [path for path in ours if path.suffixes[:1] in ([".c"], [".h"], [".S"], [".lds"])]
    assert sources
    silent = [
        str(path.relative_to(ROOT))
        for path in sources
        if not re.match(r"(//|/\*) SPDX-License-Identifier: GPL-2\.0-only", path.read_text())
    ]
    assert silent == []


def test_every_fact_file_loads() -> None:
    assert set(specs.load_all()) == {path.stem for path in specs.specs_folder().glob("*.toml")}
    for path in sorted((ROOT / "specs" / "scenarios").glob("*.toml")):
        assert scenarios.load(path).name


def known_tasks() -> set[str]:
    """Names of the functions that ``hamkit.tasks`` decorates as tasks."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in MODULES if is_task(path)]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    names = [f.name for f in functions if any("task" in ast.unparse(d) for d in f.decorator_list)]
    return {name.rstrip("_").replace("_", ".") for name in names}


def test_readme_doctor_and_tasks_agree() -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Tasks")[1].split("Exit codes")[0]
    assert set(re.findall(r"^\| `([a-z.]+)", section, re.MULTILINE)) == known_tasks()
    assert set(doctor.TASKS) == known_tasks()


def test_packages_name_tasks_that_exist() -> None:
    named = {task for package in doctor.packages() for task in package.tasks}
    assert {task for task in named if not task.startswith("-")} <= set(doctor.TASKS)
    assert {task for task in named if task.startswith("-")} == {"--tree"}


def test_the_newest_change_is_of_this_version() -> None:
    heading = re.search(r"^## \[(.+?)\] - (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heading is not None
    assert heading[1] == (ROOT / "ham-src" / "VERSION").read_text().strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", heading[2])


def test_what_is_run_is_executable() -> None:
    for path in (ROOT / "bootstrap", ROOT / "ci" / "engine", ROOT / ".ci" / "run"):
        assert os.access(path, os.X_OK), path
