"""Writes a scenario as the file that ``hamkit.scenarios`` reads back."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hamkit.model.i386 import Kernel
from hamkit.model.scenario import (
    AbuseStep,
    AddStep,
    FaultStep,
    RetryStep,
    RunStep,
    Scenario,
    Step,
    UseStep,
    size_text,
)
from hamkit.scenarios import LINES


def text(scenario: Scenario) -> str:
    """The scenario as TOML; what is as by default is left out."""
    about = {"name": scenario.name, "description": scenario.description}
    about["line"] = next(word for word, lines in LINES.items() if lines == scenario.lines)
    machine, kernel, plain = scenario.machine, scenario.kernel, Kernel()
    options = {
        "highmem": (kernel.highmem, plain.highmem),
        "reserve": (f"{kernel.reserve}M", f"{plain.reserve}M"),
        "hotadd": (kernel.hotadd, None),
        "struct_page": (kernel.struct_page, plain.struct_page),
        "mem_option": (kernel.mem_option, plain.mem_option),
        "max_order": (kernel.max_order, plain.max_order),
        "zone_ratios": (list(kernel.ratios), list(plain.ratios)),
        "zone_least": (kernel.least, plain.least),
        "watermarks": ("array" if kernel.lower_ratios else "fields", "fields"),
        "wait_queue": (kernel.wait_queue, plain.wait_queue),
        "bitmap": (kernel.bitmap, plain.bitmap),
    }
    tables: list[tuple[str, Mapping[str, object]]] = [
        ("[scenario]", about),
        (
            "[machine]",
            {
                "memory": size_text(machine.memory),
                "boot_memory": size_text(machine.boot_memory),
                "low_memory": None if machine.low_memory is None else size_text(machine.low_memory),
                "swap": size_text(machine.swap) if machine.swap else None,
                "cpus": machine.cpus,
            },
        ),
        ("[kernel]", {name: now for name, (now, default) in options.items() if now != default}),
        *(("[[step]]", _step_fields(step)) for step in scenario.steps),
    ]
    return "\n".join(_toml(title, fields) for title, fields in tables if fields)


def _step_fields(step: Step) -> dict[str, object]:
    fields: dict[str, object] = {"action": step.action}
    match step:
        case AddStep():
            fields |= {"start": f"{step.start:#x}", "size": f"{step.size:#x}", "attr": step.attr}
        case UseStep():
            fields["size"] = size_text(step.size)
        case FaultStep():
            fields["count"] = step.count
        case RunStep():
            fields["words"] = list(step.words)
        case RetryStep() | AbuseStep():
            pass
    if isinstance(step, AddStep | RetryStep):
        fields["expect"] = step.expect.word
    return fields


def _toml(title: str, fields: Mapping[str, object]) -> str:
    """A table; JSON's spelling of strings, numbers and lists is TOML's too."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in fields.items() if value not in (None, "")]
    return "\n".join((title, *lines)) + "\n"
