"""Draws scenarios: machines, and requests that are good, bad and at every border. Seeded, hence repeatable.

Scenarios come in groups that share a machine, so that one boot serves a group.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from hamkit.model import expect_24, expect_mainline
from hamkit.model.extents import GIB, KIB, MIB, PAGE, TOP, Extent
from hamkit.model.firmware import Entry, ram
from hamkit.model.i386 import Kernel
from hamkit.model.mainline import DEFAULT_BLOCK
from hamkit.model.scenario import (
    AddStep,
    Attribute,
    Line,
    Machine,
    RetryStep,
    Scenario,
    Step,
    UseStep,
)

MOST_STEPS = 20
LEAST_MEMORY, MOST_MEMORY = 64 * MIB, 8 * GIB
MOST_USED = 16 * MIB
LIMITS = ("8M", "16M", "33", "64M", "96M", "131072K", "200M", "0x100", "512M")  # of the window
OFF = ("0", "0K")
ODD = ("100K", "1025k", "5G", "32q", "1234567890", "-8", "08M")  # rounded, cut, refused


@dataclass(frozen=True)
class Ground:
    """What is drawn from. ``group``: scenarios that share a machine; ``kernel``: the 2.4 line's build;
    ``least_boot`` and ``most_memory`` in bytes."""

    line: Line
    kernel: Kernel = Kernel()  # noqa: RUF009 - a frozen value
    group: int = 5
    least_boot: int = 24 * MIB
    most_memory: int = MOST_MEMORY

    @property
    def block(self) -> int:
        return self.kernel.block if self.line is Line.LINUX24 else DEFAULT_BLOCK


def draw(ground: Ground, seed: int, runs: int) -> tuple[Scenario, ...]:
    """``runs`` scenarios. A longer draw from the same seed begins with the shorter one."""
    scenarios: list[Scenario] = []
    for group in range(-(-runs // ground.group)):
        random = Random(f"{seed}/{group}")  # noqa: S311 - repeatable is what is wanted
        machine, kernel = _machine(ground, random)
        for member in range(ground.group):
            name = f"seed-{seed}-{group * ground.group + member + 1}"
            bare = Scenario(name, machine, (), f"drawn from seed {seed}", (ground.line,), kernel)
            scenarios.append(with_expectations(replace(bare, steps=_steps(ground, bare, random))))
    return tuple(scenarios[:runs])


def with_expectations(scenario: Scenario) -> Scenario:
    """The scenario with what the model says as each step's ``expect``, as far as that is known unbooted."""
    if scenario.lines == (Line.LINUX24,):
        results = [o.result for o in expect_24.carry_through(scenario, expect_24.default_facts(scenario))[1:]]
    else:
        facts = expect_mainline.default_facts(scenario)
        results = [o.result for o in expect_mainline.carry_through(scenario, facts)[1:]]
    steps: list[Step] = []
    for step, result in zip(scenario.steps, results, strict=True):
        steps.append(replace(step, expect=result) if isinstance(step, AddStep | RetryStep) else step)
    return replace(scenario, steps=tuple(steps))


def firmware_of(scenario: Scenario) -> tuple[Entry, ...]:
    """The map that QEMU's firmware will report for the scenario's machine."""
    if scenario.lines == (Line.LINUX24,):
        return expect_24.default_facts(scenario).firmware
    return expect_mainline.default_facts(scenario).firmware


def _machine(ground: Ground, random: Random) -> tuple[Machine, Kernel]:
    least = max(LEAST_MEMORY, ground.least_boot)
    memory = _between(random, least, ground.most_memory)
    memory = random.choice((memory, -(-memory // (128 * MIB)) * 128 * MIB))
    memory = min(memory, ground.most_memory)
    low = None
    if random.random() < 0.25 and memory > 2 * least:
        low = _between(random, least, min(memory, 3 * GIB))
    bare = Machine(memory, memory, 1, low)
    kernel = ground.kernel
    if ground.line is Line.LINUX24 and random.random() < 0.4:
        kernel = replace(kernel, hotadd=random.choice((*OFF, *ODD, *LIMITS, *LIMITS, *LIMITS)))
    end = _low_end(Scenario("", bare, (), "", (ground.line,), kernel))
    return replace(bare, boot_memory=_boot_memory(ground, random, memory, end)), kernel


def _low_end(scenario: Scenario) -> int:
    """Where the RAM that begins at 1 MiB ends."""
    return next(e.end for e in ram(firmware_of(scenario)) if e.start <= MIB < e.end)


def _boot_memory(ground: Ground, random: Random, memory: int, end: int) -> int:
    """Mostly much less than there is, on a block's border; now and then odd, or all of it."""
    if random.random() < (0.15 if ground.line is Line.LINUX24 else 0.05):
        return memory
    chosen = _between(random, ground.least_boot, max(ground.least_boot, min(end - MIB, 1536 * MIB)))
    unit = random.choice((ground.block, ground.block, ground.block, MIB, PAGE, KIB))
    return max(ground.least_boot, chosen // unit * unit)


def _between(random: Random, least: int, most: int) -> int:
    """A number of MiB, small ones as likely as large ones."""
    if most <= least:
        return least
    low, high = least // MIB, most // MIB
    return min(high, round(low * math.pow(high / low, random.random()))) * MIB


def _steps(ground: Ground, scenario: Scenario, random: Random) -> tuple[Step, ...]:
    count = random.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16, MOST_STEPS))
    drawn: list[Step] = []
    hidden = _hidden(scenario)
    marks = _landmarks(ground, scenario)
    for _ in range(count):
        dice = random.random()
        if dice < 0.07:
            drawn.append(RetryStep())
        elif dice < 0.09:
            drawn.append(UseStep(random.randrange(PAGE, min(MOST_USED, scenario.machine.boot_memory // 8))))
        else:
            step = _add(ground, hidden, marks, random)
            drawn.append(step)
            marks += [step.start, min(step.start + step.size, TOP - 1)]
    return tuple(drawn)


def _add(ground: Ground, hidden: Sequence[Extent], marks: Sequence[int], random: Random) -> AddStep:
    block = ground.block
    attr = Attribute.RO if random.random() < 0.06 else Attribute.RW
    if hidden and random.random() < 0.6:  # whole blocks of RAM that the kernel does not know
        part = random.choice(hidden)
        first, last = -(-part.start // block), part.end // block
        if first < last:
            start = random.randrange(first, last)
            count = min(last - start, _blocks(random, block))
            return AddStep(start * block, count * block, attr)
    start = random.choice(marks) + random.choice((0, 0, 0, -block, block, -PAGE, PAGE, -1, 1))
    start = max(0, min(start, TOP - 1))
    size = random.choice(
        (
            0,
            1,
            PAGE,
            block,
            block,
            block,
            _blocks(random, block) * block,
            _blocks(random, block) * block,
            block + PAGE,
            block - PAGE,
            random.choice(marks),
            TOP - 1 - start,
            (TOP - start) % TOP,
        )
    )
    return AddStep(start, size, attr)


def _blocks(random: Random, block: int) -> int:
    most = max(1, random.choice((4 * block, 64 * MIB, 256 * MIB, GIB)) // block)
    return random.randint(1, most)


def _hidden(scenario: Scenario) -> list[Extent]:
    """RAM that ``mem=`` keeps from the kernel."""
    limit = scenario.limit if scenario.lines == (Line.LINUX24,) else scenario.machine.boot_memory
    if limit is None:
        return []
    return [c for e in ram(firmware_of(scenario)) if (c := e.clipped(limit, TOP))]


def _landmarks(ground: Ground, scenario: Scenario) -> list[int]:
    """Addresses at which something begins, ends or overflows."""
    ends = [edge for e in firmware_of(scenario) for edge in (e.extent.start, e.extent.end)]
    fixed = [0, MIB, 16 * MIB, 896 * MIB, 4 * GIB, 64 * GIB, 1 << 40, 1 << 63, TOP - ground.block, TOP - 1]
    window = expect_24.default_facts(scenario).window if ground.line is Line.LINUX24 else None
    reach = [window.reach] if window else []
    return [*fixed, *ends, *reach, scenario.machine.boot_memory, scenario.machine.boot_memory]
