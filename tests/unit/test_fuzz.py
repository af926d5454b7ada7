"""Drawing, shrinking and campaigns, on machines that are the model itself, with and without a fault."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamkit import scenario_text, scenarios
from hamkit.model.expect_24 import carry_through, default_facts
from hamkit.model.extents import GIB, MIB, TOP
from hamkit.model.hotadd24 import Linux24
from hamkit.model.i386 import Globals, Highmem, Kernel
from hamkit.model.scenario import AddStep, Attribute, Errno, Line, Machine, RetryStep, Scenario, UseStep
from hamkit.progress import Quiet
from hamkit.prove.comparison import Check
from hamkit.prove.fuzz import finding
from hamkit.prove.fuzz.campaign import GuestDown, campaign, compatible
from hamkit.prove.fuzz.draw import MOST_STEPS, ODD, OFF, Ground, draw
from hamkit.prove.fuzz.shrink import shrink
from hamkit.stage import Verdict

OLD = Ground(Line.LINUX24)
NEW = Ground(Line.MAINLINE, least_boot=192 * MIB)
BASE = Scenario("x", Machine(2 * GIB, 128 * MIB), (), "", (Line.LINUX24,))


@dataclass
class Simulated:
    """A stand whose machines compute their counters by the model and then by ``fault``; the steps for which
    ``breaks`` holds bring one down."""

    fault: Callable[[Linux24, Globals], Globals] = lambda _, counters: counters
    breaks: Callable[[AddStep], bool] = lambda _: False
    boots: int = 0

    @contextmanager
    def booted(self, scenario: Scenario) -> Iterator[Simulated]:
        self.boots += 1
        self.up = compatible(scenario)
        yield self

    def run(self, scenario: Scenario) -> tuple[Check, ...]:
        assert compatible(scenario) == self.up
        if any(isinstance(s, AddStep) and self.breaks(s) for s in scenario.steps):
            raise GuestDown("the guest ended: oops", "see the console")
        return tuple(
            Check(o.step, name, str(value), str(now), Verdict.PASS if value == now else Verdict.FAIL)
            for o in carry_through(scenario, default_facts(scenario))
            for (name, value), now in zip(
                asdict(o.vm.counters).items(),
                asdict(self.fault(o.vm, o.vm.counters)).values(),
                strict=True,
            )
        )


def numnodes_stays(vm: Linux24, counters: Globals) -> Globals:
    return replace(counters, numnodes=1)


def metadata_counted_twice(vm: Linux24, counters: Globals) -> Globals:
    paid = sum(r.zone.metadata for r in vm.regions)
    return replace(counters, totalram_pages=counters.totalram_pages - paid)


def highend_not_raised(vm: Linux24, counters: Globals) -> Globals:
    return replace(counters, highend_pfn=vm.booted.max_pfn)


def third_region_lost(vm: Linux24, counters: Globals) -> Globals:
    return replace(counters, num_physpages=counters.num_physpages - (512 if len(vm.regions) > 2 else 0))


@pytest.mark.parametrize("ground", [OLD, NEW], ids=["2.4", "mainline"])
def test_the_same_seed_draws_the_same_and_a_shorter_draw_is_its_beginning(ground: Ground) -> None:
    drawn = draw(ground, 7, 23)
    assert len(drawn) == 23
    assert draw(ground, 7, 23) == drawn
    assert draw(ground, 7, 11) == drawn[:11]
    assert draw(ground, 8, 23) != drawn
    assert len({s.name for s in drawn}) == 23


@pytest.mark.parametrize("ground", [OLD, NEW, Ground(Line.LINUX24, Kernel(Highmem.G4))])
def test_what_is_drawn_is_a_scenario_that_can_be_written_and_read(ground: Ground) -> None:
    for scenario in draw(ground, 3, 60):
        assert scenarios.parse(scenario_text.text(scenario)) == scenario
        assert 1 <= len(scenario.steps) <= MOST_STEPS
        assert 64 * MIB <= scenario.machine.memory <= 8 * GIB


def test_a_draw_has_everything_in_it() -> None:
    drawn = draw(OLD, 1, 300)
    adds = [s for scenario in drawn for s in scenario.steps if isinstance(s, AddStep)]
    assert {s.expect for s in adds} >= {
        *(Errno.OK, Errno.EINVAL, Errno.E2BIG, Errno.EROFS, Errno.EEXIST, Errno.ENODEV),
    }
    good = sum(s.expect is Errno.OK for s in adds)
    assert len(adds) / 4 < good < len(adds) * 3 / 4
    assert {0, 4 * GIB, 64 * GIB} <= {s.start for s in adds}
    assert any(s.start + s.size >= TOP for s in adds)
    assert any(s.size == 0 for s in adds)
    assert any(s.start < 4 * GIB < s.start + s.size for s in adds)
    assert {len(s.steps) for s in drawn} >= {1, MOST_STEPS}
    assert any(s.machine.memory < 128 * MIB for s in drawn)
    assert any(s.machine.memory > 6 * GIB for s in drawn)
    assert any(s.machine.low_memory for s in drawn)
    assert any(s.limit is None for s in drawn)
    words = {s.kernel.hotadd for s in drawn}
    assert words >= {None, "8M", "512M"}
    assert all(words & set(kind) for kind in (OFF, ODD))
    kinds = {type(step) for scenario in drawn for step in scenario.steps}
    assert kinds == {AddStep, RetryStep, UseStep}


def test_groups_share_a_machine() -> None:
    drawn = draw(OLD, 2, 20)
    assert len({compatible(s) for s in drawn}) == 4


def test_a_sound_kernel_agrees() -> None:
    stand = Simulated()
    result = campaign(draw(OLD, 5, 40), stand, Quiet(), jobs=1)
    assert (result.verdict, result.runs, result.boots, result.findings) == (Verdict.PASS, 40, 8, ())
    assert result.values == 6 * (result.steps + 40)
    assert result.a_minute > 0


@pytest.mark.parametrize(
    ("fault", "title", "steps"),
    [
        (numnodes_stays, "numnodes", 1),
        (metadata_counted_twice, "totalram_pages", 1),
        (highend_not_raised, "highend_pfn", 1),
        (third_region_lost, "num_physpages", 3),
    ],
)
def test_a_fault_is_found_soon_and_shrunk(
    fault: Callable[[Linux24, Globals], Globals], title: str, steps: int
) -> None:
    for seed in (1, 2, 3):
        result = campaign(draw(OLD, seed, 20), Simulated(fault), Quiet(), most_findings=1, tries=200)
        assert result.verdict is Verdict.FAIL
        found = result.findings[0]
        assert found.checks[0].title == title
        assert len(found.shrunk.steps) == steps
        sizes = [s.size for s in found.shrunk.steps if isinstance(s, AddStep)]
        assert all(size <= 64 * MIB for size in sizes)
        assert found.shrunk.name == f"{found.drawn.name}-shrunk"


def test_a_guest_that_breaks_down_is_a_finding_and_costs_boots() -> None:
    stand = Simulated(breaks=lambda step: step.attr is Attribute.RO)
    result = campaign(draw(OLD, 1, 40), stand, Quiet(), most_findings=1)
    (found, *_) = result.findings
    assert found.trouble == "the guest ended: oops"
    assert [s.attr for s in found.shrunk.steps if isinstance(s, AddStep)] == [Attribute.RO]
    assert stand.boots > result.boots


def test_several_jobs_find_what_one_finds() -> None:
    drawn = draw(OLD, 9, 30)
    for jobs in (1, 3):
        result = campaign(drawn, _Each(numnodes_stays), Quiet(), jobs, most_findings=100)
        assert len(result.findings) == sum(1 for g in range(6) if _adds(drawn[5 * g : 5 * g + 5]))


class _Each(Simulated):
    """A machine of its own for each thread."""

    @contextmanager
    def booted(self, scenario: Scenario) -> Iterator[Simulated]:
        with Simulated(self.fault).booted(scenario) as machine:
            yield machine


def _adds(group: tuple[Scenario, ...]) -> bool:
    return any(carry_through(s, default_facts(s))[-1].vm.regions for s in group)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=20), st.sets(st.integers(0, 9), min_size=1, max_size=3)
)
@settings(max_examples=60, deadline=None)
def test_shrinking_keeps_what_is_needed_and_no_more(numbers: list[int], needed: set[int]) -> None:
    numbers = [*numbers, *needed]
    steps = tuple(AddStep(n * GIB, 2 * MIB) for n in numbers)

    def disagrees(scenario: Scenario) -> bool:
        starts = {s.start // GIB for s in scenario.steps if isinstance(s, AddStep)}
        return needed <= starts

    smallest = shrink(replace(BASE, steps=steps), disagrees, tries=2000)
    assert disagrees(smallest)
    assert len(smallest.steps) == len(needed)


def test_shrinking_values() -> None:
    steps = (AddStep(3 * GIB + 6 * MIB + 4096, 80 * MIB + 1, Attribute.RO), UseStep(9 * MIB))

    def disagrees(scenario: Scenario) -> bool:
        return any(isinstance(s, AddStep) and s.size >= 10 * MIB for s in scenario.steps)

    smallest = shrink(replace(BASE, steps=steps), disagrees, tries=500)
    assert smallest.steps == (AddStep(3 * GIB, 10 * MIB),)


def test_shrinking_stops_when_its_runs_are_spent() -> None:
    tried = []

    def disagrees(scenario: Scenario) -> bool:
        tried.append(scenario)
        return True

    shrink(replace(BASE, steps=tuple(AddStep(n, 1 << 40) for n in range(20))), disagrees, tries=5)
    assert len(tried) == 5


def test_a_finding_is_written_for_people_and_for_boot(tmp_path: Path) -> None:
    result = campaign(draw(OLD, 1, 20), Simulated(numnodes_stays), Quiet(), most_findings=1)
    paths = finding.write(result, tmp_path, {"seed": 1})
    name = result.findings[0].drawn.name
    assert {p.name for p in paths} >= {f"{name}.toml", f"{name}-drawn.toml", f"{name}.txt", "fuzz.json"}
    shrunk = scenarios.load(tmp_path / f"{name}.toml")
    assert shrunk.steps == result.findings[0].shrunk.steps
    said = (tmp_path / f"{name}.txt").read_text()
    assert "after step 1: numnodes\n  rule: grows by one a region\n  - 2\n  + 1\n" in said
    summary = json.loads((tmp_path / "fuzz.json").read_text())
    assert (summary["seed"], summary["verdict"], summary["findings"][0]["scenario"]) == (1, "fail", name)
