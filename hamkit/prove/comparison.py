"""The result of holding a guest run against the model: checks, and the course of the run."""

from __future__ import annotations

from dataclasses import dataclass

from hamkit.stage import Verdict


@dataclass(frozen=True)
class Check:
    """One value held against the model.

    ``step`` is the scenario step (0: after boot). ``allowance`` is empty for an exact
    match; otherwise it states how far ``seen`` may lie from ``expected``, and why.
    """

    step: int
    title: str
    expected: str
    seen: str
    verdict: Verdict
    allowance: str = ""


@dataclass(frozen=True)
class StepView:
    """The machine after one step, as the guest reported it. Sizes in KiB."""

    step: int
    label: str
    result: str
    mem_total_kib: int
    mem_free_kib: int
    expected_total_kib: int
    zones: tuple[tuple[str, int, int, int], ...]  # name, spanned, present, managed pages
    status: tuple[str, ...]  # lines of /proc/ham/status


@dataclass(frozen=True)
class Comparison:
    """Every check of a run and what the machine looked like after each step."""

    checks: tuple[Check, ...]
    steps: tuple[StepView, ...]

    @property
    def verdict(self) -> Verdict:
        bad = not self.checks or any(c.verdict is not Verdict.PASS for c in self.checks)
        return Verdict.FAIL if bad else Verdict.PASS
