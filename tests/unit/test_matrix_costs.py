"""What hot-add costs, on the matrix: taken from what was measured of that very kernel, never made up."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_core import to_jsonable_python

from hamkit.courses.overhead import Overhead
from hamkit.matrix.costs import COUNTED, ratios, unmeasured, with_costs
from hamkit.matrix.page import render_matrix_page
from hamkit.matrix.record import Cell, Row
from hamkit.prove.overhead import LIMITS, measured
from hamkit.prove.overhead.verdicts import AFTER, BEFORE, HOTADD
from hamkit.prove.overhead.verdicts import Row as Measured
from hamkit.stage import Verdict
from tests.unit.matrix_sample import row, sample

KERNEL, OTHER = "a" * 64, "b" * 64
ROWS = (
    Measured(BEFORE, "fork", "fork, exit, wait", "call", 100.0, 101.0, 1.01, 1.02, Verdict.PASS),
    Measured(AFTER, "fork", "fork, exit, wait", "call", 100.0, 103.0, 1.03, 1.02, Verdict.FAIL),
    Measured(AFTER, "tmpfs", "write to tmpfs", "page", None, None, None, 1.02, Verdict.NOT_RUN, "no tmpfs"),
    Measured(HOTADD, "hotadd", "adding 1 GB", "add", None, 10.7e6, None, 20e6, Verdict.PASS),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))
    return tmp_path


def keep() -> Path:
    return measured.keep(KERNEL, to_jsonable_python(Overhead("2.4.13", ROWS, (), Verdict.FAIL)))


def built(name: str, kernel: str) -> Row:
    """A row whose kernel was built."""
    cells = [
        cell.model_copy(update={"facts": {COUNTED: kernel}, "overhead": ()})
        if cell.column == "builds"
        else cell.model_copy(update={"overhead": ()})
        for cell in row(name).cells
    ]
    return row(name).model_copy(update={"cells": tuple(cells)})


def test_ratios_are_those_of_that_kernel() -> None:
    keep()
    assert [(r.test, r.ratio, r.limit) for r in ratios(KERNEL)] == [
        ("fork, exit, wait, before any add", 1.01, 1.02),
        ("fork, exit, wait, after adds", 1.03, 1.02),
    ]
    assert ratios(OTHER) == ()


def test_a_measurement_holds_for_its_limits_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    changed = tmp_path / "overhead.toml"
    changed.write_text(LIMITS.read_text() + "# another limit\n")
    monkeypatch.setattr(measured, "LIMITS", changed)
    assert ratios(KERNEL) == ()


@pytest.mark.parametrize("text", ["", "{}", '{"rows": [{"phase": "x"}]}', '{"rows": 3'])
def test_a_damaged_result_counts_as_none(text: str) -> None:
    keep().write_text(text)
    assert ratios(KERNEL) == ()


def test_a_row_gets_its_bars_beside_what_was_built() -> None:
    keep()
    known, unknown = with_costs(built("linux-2.4.13", KERNEL)), with_costs(built("linux-2.4.20", OTHER))
    assert [r.ratio for r in known.cell("builds").overhead] == [1.01, 1.03]
    assert not any(cell.overhead for cell in unknown.cells)
    assert (unmeasured(known), unmeasured(unknown)) == (False, True)
    failed = row("rhel3", fails="builds")
    assert not unmeasured(failed)  # there is no kernel to measure


def test_the_page_says_what_was_not_measured() -> None:
    keep()
    rows = [with_costs(built("linux-2.4.13", KERNEL)), with_costs(built("linux-2.4.20", OTHER))]
    unsupported = row("debian-12", unsupported="builds")
    plain = tuple(cell.model_copy(update={"overhead": ()}) for cell in unsupported.cells)
    rows.append(unsupported.model_copy(update={"cells": plain}))
    page = render_matrix_page(sample("2026-11-25T12:00:00+00:00", *rows), None)
    section = re.search(r'<section class="card" id="overhead".*?</section>', page, re.DOTALL)
    assert section is not None
    assert re.findall(r"<h3>(.*?)</h3>", section[0]) == ["linux-2.4.13"]
    assert re.findall(r'<span class="num right">(.*?)</span>', section[0]) == ["1.0100", "1.0300"]
    words = re.search(r'id="unmeasured">(.*?)</p>', section[0])
    assert words is not None
    assert words[1].endswith(": linux-2.4.20.")


def test_another_column_never_takes_them() -> None:
    keep()
    other = Cell(column="boots", verdict=Verdict.PASS, facts={COUNTED: KERNEL})
    odd = Cell(column="builds", verdict=Verdict.PASS, facts={COUNTED: 3})
    made = with_costs(Row(name="x", line="2.4", title="x", cells=(other, odd)))
    assert not any(cell.overhead for cell in made.cells)
