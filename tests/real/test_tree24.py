"""Patched 2.4 trees, built and booted: memory added through HAM, every number held against the model.

Trees and compiler lie in the cache (``kernels/``, ``toolchains/``); what is not there is skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.build.kernel24.modules import ModulesRequest, build_modules
from hamkit.build.kernel24.programs import COMPILER, PACKAGE
from hamkit.build.kernel24.toolchain import known_toolchains
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.files import cache_root
from hamkit.kernel.source import tree_digest
from hamkit.matrix import trees
from hamkit.matrix.graph import Task
from hamkit.matrix.rows import RowSpec
from hamkit.model.scenario import Line
from hamkit.progress import Quiet
from hamkit.prove.comparison import Check
from hamkit.run import install_hint
from hamkit.stage import Verdict

pytestmark = [
    pytest.mark.kernels24,
    pytest.mark.qemu,
    pytest.mark.skipif(not known_toolchains(), reason="no compiler for 2.4 in the cache's toolchains/"),
    *(
        pytest.mark.skipif(shutil.which(program) is None, reason=f"no {program}: {install_hint(package)}")
        for program, package in (
            ("spatch", "coccinelle"),
            ("xorriso", "xorriso"),
            ("patch", "patch"),
            ("qemu-system-x86_64", "qemu-system-x86"),
            (COMPILER, PACKAGE),
        )
    ),
]
SEED = "linux-2.4.13"
CUT_DOWN = ("linux-2.4.2", "linux-2.4.20", "linux-2.4.31")
MIB_PAGES = 1 << 8

Pipelines = Callable[..., TreePipeline]


@pytest.fixture
def pipeline() -> Pipelines:
    """Pipelines for trees that are there."""

    def make(name: str, scenario: str = "", **more: object) -> TreePipeline:
        if not (cache_root() / "kernels" / name / "Makefile").is_file():
            pytest.skip(f"no kernel tree {name}: unpack one below {cache_root()}/kernels")
        path = scenarios.scenarios_folder() / f"{scenario}.toml"
        wanted = scenarios.load(path, Line.LINUX24) if scenario else None
        return TreePipeline(TreeRequest(name, wanted, keep=True, **more), Quiet())  # type: ignore[arg-type]

    return make


def disagreements(run: TreePipeline) -> list[Check]:
    assert run.booted.stage.verdict is Verdict.PASS, run.booted.stage.detail
    return [check for check in run.proved.checks if check.verdict is not Verdict.PASS]


@pytest.mark.parametrize(("flavour", "highmem"), [("up", "64G"), ("smp", "64G"), ("up", "4G"), ("smp", "4G")])
def test_the_seed_s_kernel(pipeline: Pipelines, flavour: str, highmem: str) -> None:
    run = pipeline(SEED, flavour=flavour, highmem=highmem)
    assert disagreements(run) == []
    assert len(run.proved.checks) > 150
    assert f"sha256:{tree_digest(run.source.root)}" == run.kernel.stage.inputs["tree"]


@pytest.mark.parametrize("name", CUT_DOWN)
def test_other_generations(pipeline: Pipelines, name: str) -> None:
    run = pipeline(name)
    assert disagreements(run) == []
    assert [stage.name for stage in run.results] == [
        *("patch", "kernel", "modules", "programs", "boot", "prove")
    ]


def test_memory_is_used_in_every_way(pipeline: Pipelines) -> None:
    run = pipeline(SEED, "proof-24")
    assert disagreements(run) == []
    seen = run.booted.seen.counters
    added = {zone.start: zone for zone in seen[3].zones if zone.node}
    held = {zone.start: added[zone.start].free - zone.free for zone in seen[6].zones if zone.node}
    assert len(held) == 3
    assert all(pages > 0.9 * added[start].free for start, pages in held.items())  # each region, nearly whole
    assert sum(held.values()) > 700 * MIB_PAGES
    back = {zone.start: zone.free for zone in seen[7].zones if zone.node}
    assert all(abs(back[start] - zone.free) < 64 for start, zone in added.items())
    before, cached = (sum(zone.free for zone in seen[step].zones if zone.node) for step in (9, 10))
    assert before - cached >= 8 * MIB_PAGES  # the file that was read is in added pages


def test_new_zones_are_reclaimed_like_the_old(pipeline: Pipelines) -> None:
    run = pipeline(SEED, "pressure-24")
    assert disagreements(run) == []
    before, lowest = run.booted.seen.counters[4], run.booted.seen.lowest[5]
    for zone in before.zones:
        assert lowest[zone.start] <= 2 * zone.marks[2], zone  # taken down to where kswapd works


def test_modules_for_symbols_with_versions_are_the_same_twice(pipeline: Pipelines, tmp_path: Path) -> None:
    run = pipeline(SEED, modversions=True)
    assert disagreements(run) == []
    first = run.modules.content()
    again = build_modules(ModulesRequest(run.kernel, run.toolchain, renew=True), Quiet()).content()
    assert again == first
    assert str(cache_root()).encode() not in b"".join(first.values())
    assert b"_R" in first["ham"]  # a version follows


def test_the_matrix_tells_the_tree_s_fault_from_ours(pipeline: Pipelines, tmp_path: Path) -> None:
    """A file that does not compile with hot-add, then one that never does."""
    tree = tmp_path / "linux"
    shutil.copytree(pipeline(SEED).source.root, tree, symlinks=True)
    broken = tree / "init" / "main.c"
    sound = broken.read_bytes()
    for condition, verdict in (("defined(CONFIG_MEM_HOTADD)", Verdict.FAIL), ("1", Verdict.UNSUPPORTED)):
        broken.write_bytes(sound + f"#if {condition}\n#error broken for the test\n#endif\n".encode())
        task = Task(RowSpec("broken", "2.4", str(tree)), "kernel")
        configured, built = trees.ask(task).cells
        assert (configured.verdict, built.column, built.verdict) == (Verdict.PASS, "builds", verdict)
        assert "broken for the test" in built.detail
