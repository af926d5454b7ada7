"""A check's result for people (rows of a table) and for programs (JSON, SARIF)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hamkit import __version__
from hamkit.prove.rpm.checker import ALL_RULES, PARSING
from hamkit.prove.rpm.findings import CheckResult, Finding
from hamkit.prove.rpm.real import TITLES
from hamkit.stage import Verdict

COLUMNS = ("verdict", "rule", "what", "seen", "wanted", "mended by")
SARIF_VERSION = "2.1.0"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
KINDS = {
    Verdict.PASS: ("pass", "none"),
    Verdict.FAIL: ("fail", "error"),
    Verdict.UNSUPPORTED: ("notApplicable", "none"),
    Verdict.NOT_RUN: ("open", "none"),
}
"""Verdict to SARIF's kind and level (SARIF 2.1.0, 3.27.9 and 3.27.10)."""


def rows(result: CheckResult) -> list[tuple[str, ...]]:
    """One row a finding, in the order of COLUMNS; what mends it is shown for failures only."""
    return [
        (f.verdict.value, f.rule, f.title, f.seen, f.wanted, f.fix if f.verdict is Verdict.FAIL else "")
        for f in result.findings
    ]


def as_json(result: CheckResult) -> dict[str, Any]:
    """The result as JSON types; ``findings`` keeps every rule, passed or not."""
    stage = result.stage
    return {
        "verdict": stage.verdict.value,
        "detail": stage.detail,
        "seconds": stage.seconds,
        "inputs": dict(stage.inputs),
        "facts": dict(stage.facts),
        "findings": [
            {
                "rule": f.rule,
                "title": f.title,
                "verdict": f.verdict.value,
                "seen": f.seen,
                "wanted": f.wanted,
                "fix": f.fix,
            }
            for f in result.findings
        ],
    }


def as_sarif(result: CheckResult, path: Path) -> str:
    """The result as a SARIF 2.1.0 log; ``path`` is the package, named by its file name only."""
    numbers = {rule["id"]: number for number, rule in enumerate(_sarif_rules())}
    uri = quote(path.name)
    run = {
        "tool": {"driver": {"name": "hamkit", "version": __version__, "rules": _sarif_rules()}},
        "artifacts": [
            {"location": {"uri": uri}, "hashes": {"sha-256": digest}}
            for digest in result.stage.inputs.values()
        ],
        "results": [_sarif_result(f, numbers[f.rule], uri) for f in result.findings],
        "columnKind": "utf16CodeUnits",
    }
    log = {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]}
    return json.dumps(log, indent=2, sort_keys=True) + "\n"


def _sarif_rules() -> list[dict[str, Any]]:
    read = [{"id": rule, "shortDescription": {"text": title}} for rule, title in PARSING.items()]
    judged = [
        {"id": rule.id, "shortDescription": {"text": rule.title}, "help": {"text": rule.fix}}
        for rule in ALL_RULES
    ]
    real = [{"id": rule, "shortDescription": {"text": title}} for rule, title in TITLES.items()]
    return [*read, *judged, *real]


def _sarif_result(finding: Finding, number: int, uri: str) -> dict[str, Any]:
    kind, level = KINDS[finding.verdict]
    text = f"{finding.title}: seen {finding.seen}; wanted {finding.wanted}."
    if finding.verdict is Verdict.FAIL:
        text += f" Mended by: {finding.fix}."
    return {
        "ruleId": finding.rule,
        "ruleIndex": number,
        "kind": kind,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}}}],
    }
