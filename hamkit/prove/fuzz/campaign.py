"""Runs drawn scenarios on machines and collects where kernel and model disagree.

What a machine is, the campaign does not know: a ``Stand`` brings up one for a group of scenarios, and runs
each of them from the state after boot.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Protocol

from hamkit.errors import Failure
from hamkit.model.scenario import Scenario
from hamkit.progress import Progress
from hamkit.prove.comparison import Check
from hamkit.prove.fuzz.draw import with_expectations
from hamkit.prove.fuzz.shrink import TRIES, shrink
from hamkit.stage import Verdict

TOLD = 5  # groups between lines of progress


class GuestDown(Failure):
    """The guest ended, died or fell silent: nothing can be compared."""


class Booted(Protocol):
    """A machine that was booted. Not to be shared between threads."""

    def run(self, scenario: Scenario) -> tuple[Check, ...]:
        """Every check of the scenario, run from the state after boot. Its machine must be this one.

        Raises GuestDown.
        """


class Stand(Protocol):
    """Where machines are booted; used by several threads at once."""

    def booted(self, scenario: Scenario) -> AbstractContextManager[Booted]:
        """A machine as the scenario wants it, up for the scenarios of ``compatible``."""


@dataclass(frozen=True)
class Finding:
    """A scenario on which kernel and model disagree, as it was drawn and as it was shrunk to, with the
    checks of the latter that failed. ``trouble``: the run broke down, in words."""

    drawn: Scenario
    shrunk: Scenario
    checks: tuple[Check, ...]
    trouble: str = ""


@dataclass(frozen=True)
class Result:
    """What came of a campaign. ``values`` were compared, ``seconds`` it took with ``boots`` boots."""

    runs: int
    steps: int
    values: int
    boots: int
    seconds: float
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict.FAIL if self.findings else Verdict.PASS

    @property
    def a_minute(self) -> float:
        return self.runs * 60 / self.seconds if self.seconds else 0.0


@dataclass
class Tally:
    """What one group came to."""

    runs: int = 0
    steps: int = 0
    values: int = 0
    boots: int = 0
    findings: tuple[Finding, ...] = ()


def compatible(scenario: Scenario) -> object:
    """Scenarios for which this is equal can share a boot."""
    return scenario.machine, scenario.kernel, scenario.lines


def campaign(
    scenarios: Sequence[Scenario],
    stand: Stand,
    progress: Progress,
    jobs: int = 1,
    tries: int = TRIES,
    most_findings: int = 3,
) -> Result:
    """Run them all, or until ``most_findings`` groups disagreed; ``jobs`` machines at a time."""
    begin = time.monotonic()
    groups = [tuple(group) for _, group in groupby(scenarios, compatible)]
    tallies: list[Tally] = []
    with (
        progress.step(f"fuzz {len(scenarios)} scenarios") as step,
        ThreadPoolExecutor(max(1, jobs)) as pool,
    ):
        waiting = {pool.submit(_run_group, group, stand, tries) for group in groups}
        for done in as_completed(waiting):
            tallies.append(done.result())
            step.note(_words(tallies, len(scenarios)))
            if len(tallies) % TOLD == 0:
                progress.note(_words(tallies, len(scenarios)))
            if sum(bool(t.findings) for t in tallies) >= most_findings:
                for other in waiting:
                    other.cancel()
                break
    tallies += [d.result() for d in waiting if d.done() and not d.cancelled() and d.result() not in tallies]
    return Result(
        sum(t.runs for t in tallies),
        sum(t.steps for t in tallies),
        sum(t.values for t in tallies),
        sum(t.boots for t in tallies),
        time.monotonic() - begin,
        tuple(sorted((f for t in tallies for f in t.findings), key=lambda f: f.drawn.name)),
    )


def _words(tallies: Iterable[Tally], wanted: int) -> str:
    done = sum(t.runs for t in tallies)
    found = sum(len(t.findings) for t in tallies)
    return f"{done} of {wanted}, {found} disagree"


def _run_group(group: Sequence[Scenario], stand: Stand, tries: int) -> Tally:
    """One boot for all of a group; ends with the first finding."""
    tally = Tally()
    scenario = group[0]
    try:
        with stand.booted(scenario) as machine:
            tally.boots += 1
            for scenario in group:
                checks = machine.run(scenario)
                tally.runs += 1
                tally.steps += len(scenario.steps)
                tally.values += len(checks)
                if wrong := failed(checks):
                    tally.findings += (_shrunk(scenario, machine, wrong, tries),)
                    break
    except GuestDown as down:
        tally.runs += 1
        tally.findings += (_broken(scenario, stand, down, tries),)
    return tally


def failed(checks: Iterable[Check]) -> tuple[Check, ...]:
    return tuple(c for c in checks if c.verdict is not Verdict.PASS)


def _shrunk(scenario: Scenario, machine: Booted, wrong: tuple[Check, ...], tries: int) -> Finding:
    """Shrunk on the machine at hand: each try is a run from the state after boot, and no boot."""
    seen = {scenario.steps: wrong}
    title = wrong[0].title

    def disagrees(tried: Scenario) -> bool:
        try:
            found = failed(machine.run(with_expectations(tried)))
        except GuestDown:
            return False  # another fault than the one that is looked for
        seen[tried.steps] = found
        return any(c.title == title for c in found)

    smallest = shrink(scenario, disagrees, tries)
    named = replace(with_expectations(smallest), name=f"{scenario.name}-shrunk")
    return Finding(scenario, named, seen[smallest.steps])


def _broken(scenario: Scenario, stand: Stand, down: GuestDown, tries: int) -> Finding:
    """A scenario that brings the guest down is shrunk with a boot for each try."""

    def disagrees(tried: Scenario) -> bool:
        try:
            with stand.booted(tried) as machine:
                machine.run(tried)
        except GuestDown:
            return True
        return False

    smallest = shrink(scenario, disagrees, tries // 3)
    named = replace(with_expectations(smallest), name=f"{scenario.name}-shrunk")
    return Finding(scenario, named, (), down.message)
