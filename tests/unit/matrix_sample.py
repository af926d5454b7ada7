"""A sample matrix with every kind of cell, for the tests of its outputs."""

from __future__ import annotations

import datetime
import hashlib

from hamkit.matrix.columns import COLUMNS
from hamkit.matrix.record import Cell, Counts, Matrix, Ratio, Row, Text
from hamkit.publish.record import CheckRecord, StepRecord, ZoneRecord
from hamkit.stage import Verdict

HOSTILE = '</script><script>document.title = "taken"</script><img src=x onerror=alert(1)>\x1b[31m'
PATCH = "--- a/mm/x.c\n+++ b/mm/x.c\n@@ -1,2 +1,2 @@\n context <b>\n-old line\n+new line\n"
LOG = f"gcc -c x.c\nx.c:1: error: parse error {HOSTILE}\n"
MIB = 1024
KEY = "k" * 8


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def steps() -> tuple[StepRecord, ...]:
    return tuple(
        StepRecord(
            step=number,
            label=f"add {number}",
            result="ok",
            mem_total_kib=(256 + 128 * number) * MIB,
            mem_free_kib=200 * MIB,
            expected_total_kib=(256 + 128 * number) * MIB,
            zones=(ZoneRecord(name="Normal", spanned=65536, present=65536, managed=65000),),
            status=(),
        )
        for number in range(4)
    )


def cell(column: str, verdict: Verdict, detail: str = "") -> Cell:
    more: dict[str, object] = {}
    if column == "patch" and verdict is Verdict.PASS:
        more["patches"] = (Text(name="0001-x.patch", digest=digest(PATCH)),)
    if column == "facts":
        more["facts"] = {"sizeof_page": 64, "vendor": HOSTILE}
    if column == "model":
        more |= {"steps": steps(), "overhead": (Ratio(test="fork+exit", ratio=1.002, limit=1.003),)}
        bad = CheckRecord(step=2, title="numnodes", expected="3", seen="2", verdict=Verdict.FAIL)
        more["checks"] = (bad,) if verdict is Verdict.FAIL else ()
    if verdict is Verdict.FAIL:
        more["texts"] = (Text(name="build.log", digest=digest(LOG)),)
    seconds = 0.0 if verdict in (Verdict.NOT_RUN, Verdict.UNSUPPORTED) else 1.5
    return Cell.model_validate(
        {"column": column, "verdict": verdict, "detail": detail, "seconds": seconds, "key": KEY, **more}
    )


def row(name: str, fails: str = "", unsupported: str = "") -> Row:
    """A row that fails at a column, or is unsupported from one on."""
    cells, verdict, detail = [], Verdict.PASS, ""
    for column in COLUMNS:
        now = verdict
        if column.name == fails:
            now, verdict, detail = Verdict.FAIL, Verdict.NOT_RUN, f"needs {fails}, which failed"
            cells.append(cell(column.name, now, f"x.c:1: error {HOSTILE}"))
            continue
        if column.name == unsupported:
            now = verdict = Verdict.UNSUPPORTED
            detail = "reclaim of this generation is not covered"
        cells.append(cell(column.name, now, detail))
    line = "mainline" if name.startswith("debian") else "2.4"
    return Row(name=name, line=line, title=f"Linux of {name}", origin="vanilla", cells=tuple(cells))


def sample(started: str = "2026-11-25T12:00:00+00:00", *rows: Row) -> Matrix:
    chosen = rows or (
        row("linux-2.4.13"),
        row("linux-2.4.20", fails="builds"),
        row("rhel3", unsupported="facts"),
        row("linux-2.4.31", fails="model"),
        row("debian-12"),
    )
    return Matrix(
        hamkit="0.1.0",
        started=datetime.datetime.fromisoformat(started),
        seconds=75.0,
        argv=("matrix", "--jobs", "2"),
        complete=True,
        columns=tuple(column.record() for column in COLUMNS),
        rows=chosen,
        counts=Counts(cached=12, computed=53),
        tools={"qemu": "7.2", HOSTILE: HOSTILE},
        texts={digest(PATCH): PATCH, digest(LOG): LOG},
    )
