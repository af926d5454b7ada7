"""The matrix for other programs: JUnit for a test report, SARIF for findings."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from hamkit.matrix.record import Cell, Matrix, Row
from hamkit.stage import Verdict

SARIF_VERSION = "2.1.0"
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def as_junit(matrix: Matrix) -> str:
    """One suite a row, one case a cell; what did not run or is unsupported is skipped, with its reason."""
    top = Element("testsuites", name="hamkit matrix", time=f"{matrix.seconds:.3f}")
    for row in matrix.rows:
        suite = SubElement(top, "testsuite", name=row.name, timestamp=matrix.started.isoformat())
        for cell in row.cells:
            _case(suite, row, cell, matrix)
        _count(suite, row.cells)
    _count(top, [cell for row in matrix.rows for cell in row.cells])
    indent(top)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(top, encoding="unicode") + "\n"


def _case(suite: Element, row: Row, cell: Cell, matrix: Matrix) -> None:
    case = SubElement(suite, "testcase", classname=row.name, name=cell.column, time=f"{cell.seconds:.3f}")
    if cell.verdict is Verdict.FAIL:
        failure = SubElement(case, "failure", message=_clean(cell.detail), type=cell.column)
        failure.text = _clean("\n".join(matrix.texts[text.digest] for text in cell.texts))
    elif cell.verdict is not Verdict.PASS:
        SubElement(case, "skipped", message=_clean(f"{cell.verdict.value}: {cell.detail}"))


def _count(element: Element, cells: Any) -> None:
    verdicts = [cell.verdict for cell in cells]
    skipped = verdicts.count(Verdict.UNSUPPORTED) + verdicts.count(Verdict.NOT_RUN)
    counts = {
        "tests": len(verdicts),
        "failures": verdicts.count(Verdict.FAIL),
        "skipped": skipped,
        "errors": 0,
    }
    for name, value in counts.items():
        element.set(name, str(value))


def _clean(text: str) -> str:
    """Without the control characters that XML 1.0 cannot hold."""
    return "".join(
        c if c in "\t\n" or (c >= " " and c not in "\x7f\ufffe\uffff") else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )


def as_sarif(matrix: Matrix) -> str:
    """Every cell that failed as a finding; the columns are the rules."""
    rules = [
        {"id": column.name, "shortDescription": {"text": f"{column.title}: {column.meaning}"}}
        for column in matrix.columns
    ]
    numbers = {column.name: number for number, column in enumerate(matrix.columns)}
    results = [
        _finding(row, cell, numbers[cell.column])
        for row in matrix.rows
        for cell in row.cells
        if cell.verdict is Verdict.FAIL
    ]
    driver = {"name": "hamkit matrix", "version": matrix.hamkit, "rules": rules}
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "utf16CodeUnits"}
    log = {"$schema": SARIF_SCHEMA, "version": SARIF_VERSION, "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _finding(row: Row, cell: Cell, number: int) -> dict[str, Any]:
    where = {"logicalLocations": [{"name": row.name, "fullyQualifiedName": f"{row.name}:{cell.column}"}]}
    return {
        "ruleId": cell.column,
        "ruleIndex": number,
        "level": "error",
        "kind": "fail",
        "message": {"text": f"{row.name} ({row.title}): {cell.detail or 'failed'}"},
        "locations": [where],
        "partialFingerprints": {"cell": f"{row.name}:{cell.column}"},
    }
