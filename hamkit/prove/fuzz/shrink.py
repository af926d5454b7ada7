"""Takes away from a scenario that disagrees whatever the disagreement does not need.

Delta debugging (Zeller, Hildebrandt 2002) on the steps, then simpler values for what is left. Deterministic;
``tries`` bounds the runs that it costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from hamkit.model.extents import MIB, PAGE
from hamkit.model.scenario import AddStep, Attribute, Scenario, Step, UseStep

TRIES = 60
Disagrees = Callable[[Scenario], bool]


@dataclass
class Budget:
    """Runs that may still be made."""

    left: int

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def shrink(scenario: Scenario, disagrees: Disagrees, tries: int = TRIES) -> Scenario:
    """The smallest scenario found that still ``disagrees``; ``scenario`` itself does."""
    budget = Budget(tries)

    def fails(steps: tuple[Step, ...]) -> bool:
        return budget.spend() and disagrees(replace(scenario, steps=steps))

    steps = _fewer(scenario.steps, fails)
    steps = _simpler(steps, fails, 2 * MIB)
    steps = _fewer(steps, fails) if len(steps) > 1 else steps
    return replace(scenario, steps=steps)


def _fewer(steps: tuple[Step, ...], fails: Callable[[tuple[Step, ...]], bool]) -> tuple[Step, ...]:
    """Without every step that can go, large parts first."""
    parts = 2
    while len(steps) > 1:
        size = -(-len(steps) // parts)
        kept = next(
            (
                rest
                for start in range(0, len(steps), size)
                if (rest := steps[:start] + steps[start + size :]) and fails(rest)
            ),
            None,
        )
        if kept is not None:
            steps, parts = kept, max(parts - 1, 2)
        elif size == 1:
            break
        else:
            parts = min(2 * parts, len(steps))
    return steps


def _simpler(
    steps: tuple[Step, ...], fails: Callable[[tuple[Step, ...]], bool], unit: int
) -> tuple[Step, ...]:
    """With simpler values, one after the other, as long as one helps."""
    for position in range(len(steps)):
        changed = True
        while changed:
            changed = False
            for candidate in _candidates(steps[position], unit):
                tried = (*steps[:position], candidate, *steps[position + 1 :])
                if fails(tried):
                    steps, changed = tried, True
                    break
    return steps


def _candidates(step: Step, unit: int) -> Iterator[Step]:
    """The step made simpler in one way, the most welcome way first."""
    if isinstance(step, UseStep) and step.size > PAGE:
        yield UseStep(PAGE)
    if not isinstance(step, AddStep):
        return
    if step.attr is Attribute.RO:
        yield replace(step, attr=Attribute.RW)
    for size in _smaller(step.size, unit):
        yield replace(step, size=size)
    for grain in (1 << 30, 128 * MIB, unit, PAGE):
        if step.start % grain:
            yield replace(step, start=step.start // grain * grain)
            break


def _smaller(size: int, unit: int) -> Iterator[int]:
    """Fewer bytes: one unit, half of the units, one unit less, whole units."""
    units = size // unit
    if size % unit:
        if units:
            yield units * unit
        return
    if units > 1:
        yield unit
        if units > 3:
            yield units // 2 * unit
        yield (units - 1) * unit
