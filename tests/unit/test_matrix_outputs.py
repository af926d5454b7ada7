"""The matrix for people and programs: page, JUnit, SARIF, schema, comparison, jobs for a public CI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator
from pydantic_core import to_json

from hamkit.errors import UserError
from hamkit.matrix import ci, compare, outputs, view
from hamkit.matrix.page import render_matrix_page
from hamkit.matrix.record import SCHEMA_FILE, Matrix, load, schema_text
from hamkit.matrix.rows import RowSpec
from hamkit.stage import Verdict
from tests.unit.matrix_sample import HOSTILE, row, sample

SARIF = Path(__file__).parent.parent / "data" / "rpm" / "sarif-required.schema.json"


def test_schema_file_is_the_schema_and_a_matrix_fits_it() -> None:
    assert SCHEMA_FILE.read_text() == schema_text()
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(sample().text()))


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(sample().text())
    assert load(path) == sample()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema_id": "other"}'])
def test_what_is_no_matrix(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(UserError, match="is no matrix"):
        load(path)


def test_verdict_of_the_whole() -> None:
    assert sample().verdict is Verdict.FAIL
    good = sample("2026-11-25T12:00:00+00:00", row("a"), row("b", unsupported="facts"))
    assert good.verdict is Verdict.PASS


def test_junit_counts_and_reasons() -> None:
    top = ElementTree.fromstring(outputs.as_junit(sample()))
    assert (top.get("tests"), top.get("failures"), top.get("skipped")) == ("65", "2", "22")
    suites = {suite.get("name"): suite for suite in top}
    failed = suites["linux-2.4.20"].find("testcase[@name='builds']/failure")
    assert failed is not None
    assert "x.c:1: error" in (failed.get("message") or "")
    assert "\x1b" not in (failed.text or "")
    skipped = suites["rhel3"].find("testcase[@name='boots']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "unsupported: reclaim of this generation is not covered"


def test_sarif_has_every_failure_and_nothing_else() -> None:
    log = json.loads(outputs.as_sarif(sample()))
    Draft202012Validator(json.loads(SARIF.read_text())).validate(log)
    results = log["runs"][0]["results"]
    assert [r["ruleId"] for r in results] == ["builds", "model"]
    rules = log["runs"][0]["tool"]["driver"]["rules"]
    assert all(rules[r["ruleIndex"]]["id"] == r["ruleId"] for r in results)


def test_page_holds_hostile_text_as_text() -> None:
    page = render_matrix_page(sample(), None)
    assert len(re.findall(r"<script\b", page)) == 2
    assert len(re.findall(r"</script>", page)) == 2
    assert "<img src=x" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert data is not None
    rows = json.loads(data[1])["rows"]
    assert rows["linux-2.4.20"]["builds"]["detail"] == f"x.c:1: error {HOSTILE}"
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', page) == []


def before() -> Matrix:
    old = (
        row("linux-2.4.13", fails="boots"),
        row("linux-2.4.20"),
        row("rhel3", unsupported="facts"),
        row("gone"),
    )
    return sample("2026-11-24T12:00:00+00:00", *old)


def test_page_marks_what_changed() -> None:
    page = render_matrix_page(sample(), before())
    assert page.count('data-change="better"') == 6
    assert page.count('data-change="worse"') == 8
    assert "Every cell is what it was" in render_matrix_page(sample(), sample())
    assert "There is no run before this one" in render_matrix_page(sample(), None)


def test_comparison_worse_first() -> None:
    found = compare.differences(before(), sample())
    changes = [d.change.value for d in found]
    assert changes == sorted(changes, key=["worse", "gone", "new", "better"].index)
    first = found[0]
    assert (first.row, first.column, first.before, first.now) == ("linux-2.4.20", "builds", "pass", "fail")
    assert compare.worse(found)
    assert compare.differences(sample(), sample()) == ()


def test_dropping_a_row_that_passed_is_worse() -> None:
    a, b = (
        sample("2026-11-25T12:00:00+00:00", row("a"), row("b")),
        sample("2026-11-25T12:00:00+00:00", row("a")),
    )
    assert compare.worse(compare.differences(a, b))
    assert not compare.worse(compare.differences(b, a))


ROWS = (RowSpec("linux-2.4.13", "2.4", "linux-2.4.13"), RowSpec("debian-12", "mainline", "debian-12"))


def test_jobs_for_github_fit_on_one_line() -> None:
    text = ci.jobs_for("github", ROWS)
    assert text.count("\n") == 1
    jobs = json.loads(text)["include"]
    assert jobs[0]["command"].startswith("matrix --kernels linux-2.4.13 --distros none --json ")
    assert jobs[1]["command"].startswith("matrix --kernels none --distros debian-12 --json ")


def test_jobs_for_gitlab_are_a_pipeline() -> None:
    jobs = json.loads(ci.jobs_for("gitlab", ROWS))
    assert jobs["matrix debian-12"]["script"] == [f"./bootstrap {ci.words(ROWS[1])}"]
    assert jobs["matrix debian-12"]["extends"] in jobs
    with pytest.raises(UserError, match="no CI is called"):
        ci.jobs_for("cron", ROWS)


def test_explanation_of_a_cell() -> None:
    lines = "\n".join(view.explained(sample(), "linux-2.4.20", "builds"))
    assert "linux-2.4.20 (Linux of linux-2.4.20), builds: fail" in lines
    assert "gcc -c x.c" in lines
    lines = "\n".join(view.explained(sample(), "linux-2.4.31", "model"))
    assert "step 2, numnodes: 2, not 3" in lines
    assert "costs 1.0020 of stock, at most 1.003: fork+exit" in lines
    with pytest.raises(UserError, match="no row"):
        view.explained(sample(), "linux-9", "builds")


def test_a_cell_alone_has_its_texts() -> None:
    alone = json.loads(to_json(view.cell_alone(sample(), "linux-2.4.31", "model")))
    cell = sample().row("linux-2.4.31").cell("model")
    assert (alone["row"], alone["cell"]["verdict"]) == ("linux-2.4.31", cell.verdict.value)
    assert set(alone["texts"]) == {text.digest for text in (*cell.texts, *cell.patches)}
    with pytest.raises(UserError, match="no row"):
        view.cell_alone(sample(), "linux-9", "builds")
