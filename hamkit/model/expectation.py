"""What each step of a scenario must result in and leave behind, for the line or lines that it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hamkit.model import expect_24, expect_mainline, i386, mainline
from hamkit.model.outcomes import Outcome
from hamkit.model.ranges import Vm
from hamkit.model.scenario import Errno, Line, Scenario

JsonObject = dict[str, Any]
V = TypeVar("V", bound=Vm)
ROW_TITLES = ("step", "result", "MemTotal KiB", "pages in use", "status lines that are new")


def expectation(
    scenario: Scenario,
    line: Line | None = None,
    facts: i386.BootFacts | mainline.BootFacts | None = None,
) -> JsonObject:
    """The whole expectation of one line in JSON types; without ``line`` of the scenario's first.

    ``facts`` are those of a boot of that line; without them QEMU's layout is assumed.
    """
    line = line or scenario.lines[0]
    machine = scenario.machine
    shown: JsonObject = {
        "scenario": scenario.name,
        "description": scenario.description,
        "line": str(line),
        "machine": {
            "memory": machine.memory,
            "boot_memory": machine.boot_memory,
            "low_memory": machine.low_memory,
            "cpus": machine.cpus,
        },
    }
    if line is Line.LINUX24:
        old = facts if isinstance(facts, i386.BootFacts) else expect_24.default_facts(scenario)
        steps = _steps(expect_24.carry_through(scenario, old), expect_24.state)
        return shown | expect_24.about(old) | {"steps": steps}
    new = facts if isinstance(facts, mainline.BootFacts) else expect_mainline.default_facts(scenario)
    steps = _steps(expect_mainline.carry_through(scenario, new), expect_mainline.state)
    return shown | expect_mainline.about(new) | {"steps": steps}


def rows(scenario: Scenario, line: Line | None = None) -> list[tuple[str, ...]]:
    """The same as lines of a table under ROW_TITLES; changes of MemTotal with their sign."""
    steps = expectation(scenario, line)["steps"]
    return [_row(before, now) for before, now in zip((steps[0], *steps), steps, strict=False)]


def _steps(
    outcomes: Sequence[Outcome[V]], state: Callable[[Outcome[V], Outcome[V]], JsonObject]
) -> list[JsonObject]:
    pairs = zip((outcomes[0], *outcomes), outcomes, strict=False)
    return [_step(now) | state(before, now) | _list(now) for before, now in pairs]


def _step(now: Outcome[V]) -> JsonObject:
    expected = now.action.expect if now.action else Errno.OK
    return {
        "step": now.step,
        "label": now.label,
        "result": now.result.word,
        "scenario_expects": expected.word,
    }


def _list(now: Outcome[V]) -> JsonObject:
    refusals = [{"range": text, "result": result.word} for text, result in now.refusals]
    return {"refusals": refusals, "status": list(now.ham.status())}


def _row(before: JsonObject, step: JsonObject) -> tuple[str, ...]:
    change = step["mem_total_change_kib"]
    total = f"{step['mem_total_kib']}{f' ({change:+d})' if change else ''}"
    result = step["result"]
    if result != step["scenario_expects"]:
        result += f" (scenario: {step['scenario_expects']})"
    pages = ", ".join(_zone(z) for z in step["zones"] if z["spanned"])
    new = [text for text in step["status"] if text not in before["status"]]
    return (f"{step['step']} {step['label']}", result, total, pages, "\n".join(new))


def _zone(zone: JsonObject) -> str:
    node = f"@{zone['node']}" if zone.get("node") else ""
    return f"{zone['name']}{node} {zone.get('managed', zone['present'])}"
