"""A scenario carried through: what each step must result in, and leave behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hamkit.model import qemu
from hamkit.model.extents import TOP, Extent
from hamkit.model.mainline import BootFacts, Mainline, Policy, boot
from hamkit.model.ranges import Ham
from hamkit.model.scenario import AddStep, Errno, FaultStep, RetryStep, Scenario, Step

JsonObject = dict[str, Any]
ROW_TITLES = ("step", "result", "MemTotal KiB", "managed pages", "status lines that are new")


@dataclass(frozen=True)
class Outcome:
    """After one step. ``step`` 0 is the boot and has no ``action``.

    ``refusals`` are the requests that HAM refused in this step, each with the range that
    its kernel log line names. After an add that succeeded the guest brings every block online
    that the kernel left offline, and ``ham`` is the state after that.
    """

    step: int
    action: Step | None
    result: Errno
    refusals: tuple[tuple[str, Errno], ...]
    ham: Ham[Mainline]

    @property
    def label(self) -> str:
        return self.action.label if self.action else "boot"

    @property
    def vm(self) -> Mainline:
        return self.ham.vm


def default_facts(scenario: Scenario, board: str = "q35", policy: Policy = Policy.OFFLINE) -> BootFacts:
    """What is assumed of a machine that was not booted: QEMU's layout, nothing measured."""
    memory = scenario.machine.memory
    return BootFacts(qemu.firmware_map(memory, board), (), qemu.resources(memory, board), policy=policy)


def carry_through(scenario: Scenario, facts: BootFacts) -> tuple[Outcome, ...]:
    """Outcomes of step 0 (boot) to the last one."""
    return tuple(_outcomes(scenario, facts))


def request_text(step: AddStep) -> str:
    """The range as log lines name it: the first address twice when there is no last one."""
    if step.size == 0 or step.start + step.size >= TOP:
        return f"{step.start:016x}-{step.start:016x}"
    return str(Extent(step.start, step.start + step.size))


def expectation(scenario: Scenario, facts: BootFacts | None = None, board: str = "q35") -> JsonObject:
    """The whole expectation in JSON types; sizes in KiB, zones in pages.

    Without facts of a boot the counts of MemTotal and of managed pages are those of a
    kernel that reserves nothing (``measured`` false); their changes are exact all the same.
    """
    facts = facts or default_facts(scenario, board)
    outcomes = carry_through(scenario, facts)
    steps = [_step(before, now) for before, now in zip((outcomes[0], *outcomes), outcomes, strict=False)]
    machine = scenario.machine
    return {
        "scenario": scenario.name,
        "description": scenario.description,
        "machine": {"memory": machine.memory, "boot_memory": machine.boot_memory, "cpus": machine.cpus},
        "measured": facts.measured,
        "block_size": facts.block_size,
        "policy": str(facts.policy),
        "firmware": [{"range": str(e.extent), "kind": e.kind} for e in facts.firmware],
        "steps": steps,
    }


def rows(scenario: Scenario, facts: BootFacts | None = None, board: str = "q35") -> list[tuple[str, ...]]:
    """The same as lines of a table under ROW_TITLES; changes of MemTotal with their sign."""
    steps = expectation(scenario, facts, board)["steps"]
    return [_row(before, now) for before, now in zip((steps[0], *steps), steps, strict=False)]


def _outcomes(scenario: Scenario, facts: BootFacts) -> Iterator[Outcome]:
    ham = Ham(boot(facts, scenario.machine.boot_memory))
    yield Outcome(0, None, Errno.OK, (), ham)
    for number, step in enumerate(scenario.steps, 1):
        ham, result, refusals = _do(ham, step)
        online = isinstance(step, RetryStep) or (isinstance(step, AddStep) and result is Errno.OK)
        if online:  # the guest's init sees to that
            ham = replace(ham, vm=ham.vm.online())
        yield Outcome(number, step, result, refusals, ham)


def _do(ham: Ham[Mainline], step: Step) -> tuple[Ham[Mainline], Errno, tuple[tuple[str, Errno], ...]]:
    if isinstance(step, AddStep):
        after, result = ham.add(step.start, step.size, step.attr)
        return after, result, () if result is Errno.OK else ((request_text(step), result),)
    if isinstance(step, RetryStep):
        after, results = ham.retry()
        refusals = tuple((str(extent), r) for extent, r in results if r is not Errno.OK)
        return after, refusals[0][1] if refusals else Errno.OK, refusals
    if isinstance(step, FaultStep):
        return replace(ham, faults=step.count), Errno.OK, ()
    return ham, Errno.OK, ()


def _step(before: Outcome, now: Outcome) -> JsonObject:
    expected = now.action.expect if now.action else Errno.OK
    return {
        "step": now.step,
        "label": now.label,
        "result": now.result.word,
        "scenario_expects": expected.word,
        "mem_total_kib": now.vm.mem_total_kib,
        "mem_total_change_kib": now.vm.mem_total_kib - before.vm.mem_total_kib,
        "vmemmap_kib": now.vm.vmemmap_kib - before.vm.vmemmap_kib,
        "zones": [
            {
                "name": z.name,
                "start": z.start,
                "spanned": z.spanned,
                "present": z.present,
                "managed": z.managed,
            }
            for z in now.vm.zones
        ],
        "blocks": [{"name": f"memory{n}", "online": online} for n, online in now.vm.blocks],
        "system_ram": [str(e) for e in now.vm.system_ram],
        "refusals": [{"range": text, "result": result.word} for text, result in now.refusals],
        "status": list(now.ham.status()),
    }


def _row(before: JsonObject, step: JsonObject) -> tuple[str, ...]:
    change = step["mem_total_change_kib"]
    total = f"{step['mem_total_kib']}{f' ({change:+d})' if change else ''}"
    zones = ", ".join(f"{z['name']} {z['managed']}" for z in step["zones"] if z["spanned"])
    result = step["result"]
    if result != step["scenario_expects"]:
        result += f" (scenario: {step['scenario_expects']})"
    new = [line for line in step["status"] if line not in before["status"]]
    return (f"{step['step']} {step['label']}", result, total, zones, "\n".join(new))
