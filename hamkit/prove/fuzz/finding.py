"""Writes down a disagreement: the minimal scenario, as a file that ``boot`` runs, and what differs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hamkit import scenario_text
from hamkit.files import write_whole
from hamkit.prove.comparison import Check
from hamkit.prove.fuzz.campaign import Finding, Result

SUMMARY = "fuzz.json"
# What the model holds a value to, by the check's title; the model's modules have the rules in full.
RULES = {
    "num_physpages": "grows by all pages of a region",
    "numnodes": "grows by one a region",
    "totalram_pages": "grows by a region's pages less those of its struct pages and tables",
    "highend_pfn": "rises to a region's end where that is higher",
    "max_mapnr": "rises to a region's end where that is higher",
    "totalhigh_pages": "grows as totalram_pages does: all that is added is high memory",
    "MemTotal": "is all pages that were given to the page allocator",
    "HighTotal": "is totalhigh_pages",
    "LowTotal": "is totalram_pages less totalhigh_pages, and never changes after boot",
    "zones": "a region is a node with one zone; its watermarks follow from its size",
    "System RAM": "boot's map, and each piece that was added",
    "/proc/ham/status": "a line for each piece that was asked for and not known, by address",
    "result, by the model": "the first fault in the order of ham-src/README.md, then of patches/README.md",
    "refusals in the kernel's log": "a line for each refused request, with its errno",
    "memory blocks": "an added piece is whole blocks, online once it was brought online",
    "kernel warnings": "no request may make the kernel complain",
}


def write(result: Result, folder: Path, about: dict[str, Any]) -> tuple[Path, ...]:
    """The findings' files and a summary as JSON, with what it was run on (``about``); the files' paths."""
    paths: list[Path] = []
    for finding in result.findings:
        name = finding.drawn.name
        texts = {
            f"{name}.toml": scenario_text.text(finding.shrunk),
            f"{name}-drawn.toml": scenario_text.text(finding.drawn),
            f"{name}.txt": words(finding),
        }
        paths += [write_whole(folder / file, text) for file, text in texts.items()]
    summary = json.dumps(about | as_json(result), indent=2) + "\n"
    return (*paths, write_whole(folder / SUMMARY, summary))


def as_json(result: Result) -> dict[str, Any]:
    """The result in JSON types."""
    return {
        "verdict": result.verdict.value,
        "runs": result.runs,
        "steps": result.steps,
        "values": result.values,
        "boots": result.boots,
        "seconds": round(result.seconds, 1),
        "a_minute": round(result.a_minute, 1),
        "findings": [
            {
                "scenario": finding.drawn.name,
                "steps": len(finding.drawn.steps),
                "shrunk_to": [step.label for step in finding.shrunk.steps],
                "trouble": finding.trouble,
                "checks": [asdict(c) for c in finding.checks],
            }
            for finding in result.findings
        ],
    }


def words(finding: Finding) -> str:
    """The machine, the steps that are left, and each value that differs: expected, seen, and the rule."""
    machine = finding.shrunk.machine
    lines = [
        f"{finding.drawn.name}: {len(finding.drawn.steps)} steps, shrunk to {len(finding.shrunk.steps)}",
        f"machine: {machine.memory >> 20}M, boot memory {machine.boot_memory >> 10}K",
        *(f"step {n}: {step.label}" for n, step in enumerate(finding.shrunk.steps, 1)),
    ]
    if finding.trouble:
        lines.append(f"the run broke down: {finding.trouble}")
    return "\n".join([*lines, *(line for check in finding.checks for line in _difference(check))]) + "\n"


def _difference(check: Check) -> list[str]:
    """A value that differs; of many lines only those that differ."""
    expected, seen = check.expected.split("\n"), check.seen.split("\n")
    return [
        "",
        f"after step {check.step}: {check.title}",
        *([f"  rule: {RULES[check.title]}"] if check.title in RULES else []),
        *(f"  - {line}" for line in expected if line not in seen),
        *(f"  + {line}" for line in seen if line not in expected),
    ]
