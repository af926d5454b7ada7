"""The fuzz task on real kernels: a sound one agrees with the model, and faults put into the C are found.

A fault goes into a copy of the rendered series; the kernel is then built from it as any other.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit.build.kernel24.toolchain import known_toolchains
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.files import cache_root
from hamkit.model.scenario import AddStep, Line
from hamkit.progress import Quiet
from hamkit.prove.fuzz.campaign import Result, campaign
from hamkit.prove.fuzz.draw import Ground, draw
from hamkit.prove.fuzz.stand24 import Stand24
from hamkit.render.series import SeriesResult
from hamkit.stage import Verdict

TREE = "linux-2.4.13"
SEED, RUNS = 11, 20
HOTADD = "arch/i386/mm/mem_hotadd.c"
pytestmark = [
    pytest.mark.kernels24,
    pytest.mark.qemu,
    pytest.mark.skipif(shutil.which("spatch") is None, reason="spatch: apt-get install coccinelle"),
    pytest.mark.skipif(
        not (cache_root() / "kernels" / TREE).is_dir(), reason=f"no {TREE} below the cache's kernels/"
    ),
    pytest.mark.skipif(not known_toolchains(), reason="no gcc 2.95 below the cache's toolchains/"),
]
FAULTS = {
    "numnodes": ("+\tnumnodes++;", "+\tnumnodes += 2;", {"numnodes"}),
    "struct pages counted twice": (
        "+\ttotalram_pages += end_pfn - region->next_pfn;",
        "+\ttotalram_pages += end_pfn - region->next_pfn - (region->next_pfn - start_pfn);",
        {"totalram_pages", "MemTotal", "LowTotal"},
    ),
    "highend_pfn not raised": ("+\t\thighend_pfn = end_pfn;", "+\t\t;", {"highend_pfn"}),
}


def pipeline(highmem: str = "64G") -> TreePipeline:
    return TreePipeline(TreeRequest(TREE, None, highmem=highmem, keep=True), Quiet())


def fuzzed(run: TreePipeline, jobs: int = 2, tries: int = 60) -> Result:
    with run.locked():
        request = run.boot_request
    ground = Ground(Line.LINUX24, replace(request.scenario.kernel, hotadd=None))
    return campaign(draw(ground, SEED, RUNS), Stand24(request), Quiet(), jobs, tries, most_findings=1)


def with_fault(series: SeriesResult, old: str, new: str, folder: Path) -> SeriesResult:
    """The series with one line of its new file changed, which leaves every hunk as long as it was."""
    shutil.copytree(series.folder, folder)
    patches = tuple(folder / path.relative_to(series.folder) for path in series.patches)
    changed = 0
    for path in patches:
        text = path.read_text(encoding="latin-1")
        if f"b/{HOTADD}" in text and f"\n{old}\n" in text:
            path.write_text(text.replace(f"\n{old}\n", f"\n{new}\n"), encoding="latin-1")
            changed += text.count(f"\n{old}\n")
    assert changed == 1, f"{old!r} is there {changed} times"
    return replace(series, folder=folder, patches=patches)


@pytest.mark.parametrize("highmem", ["64G", "4G"])
def test_a_sound_kernel_agrees_with_the_model(highmem: str) -> None:
    result = fuzzed(pipeline(highmem))
    assert result.findings == ()
    assert (result.verdict, result.runs, result.boots) == (Verdict.PASS, RUNS, 4)
    assert result.values > 15 * result.steps


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_kernel_is_found_within_20_scenarios(fault: str, tmp_path: Path) -> None:
    old, new, titles = FAULTS[fault]
    run = pipeline()
    run.series = with_fault(run.series, old, new, tmp_path / "series")
    result = fuzzed(run, jobs=1, tries=40)
    assert result.verdict is Verdict.FAIL
    assert result.runs <= RUNS
    found = result.findings[0]
    assert not found.trouble
    assert {c.title for c in found.checks} <= titles
    assert sum(isinstance(s, AddStep) for s in found.shrunk.steps) == 1
