"""A check's result as rows, JSON and SARIF."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from hamkit.errors import Failure, MissingNeed
from hamkit.prove.rpm import COLUMNS, CheckResult, as_json, as_sarif, real_checks, rows
from hamkit.run import Argv, Completed
from hamkit.stage import Verdict
from tests.unit.rpm_writer import Recipe, write
from tests.unit.test_rpm_rules import DEBIAN, RPM_402, judge

SCHEMA = Path(__file__).parent.parent / "data" / "rpm" / "sarif-required.schema.json"


@pytest.fixture(params=["good", "refused", "damaged"])
def result(request: pytest.FixtureRequest, tmp_path: Path) -> CheckResult:
    whole = write(Recipe(digest=1))
    if request.param == "damaged":
        return judge(tmp_path, whole[:500])
    return judge(tmp_path, whole, DEBIAN if request.param == "good" else RPM_402)


def test_rows(result: CheckResult) -> None:
    table = rows(result)
    assert len(table) == len(result.findings)
    assert {len(row) for row in table} == {len(COLUMNS)}
    assert all((row[0] == "fail") == bool(row[-1]) for row in table)


def test_json(result: CheckResult) -> None:
    again = json.loads(json.dumps(as_json(result)))
    assert again["verdict"] == result.stage.verdict.value
    assert [f["rule"] for f in again["findings"]] == [f.rule for f in result.findings]
    assert set(again["findings"][0]) == {"rule", "title", "verdict", "seen", "wanted", "fix"}


def test_sarif(result: CheckResult, tmp_path: Path) -> None:
    log = json.loads(as_sarif(result, tmp_path / "ham 1.0 é.src.rpm"))
    jsonschema.validate(log, json.loads(SCHEMA.read_text(encoding="utf-8")))
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert [rules[r["ruleIndex"]]["id"] for r in run["results"]] == [f.rule for f in result.findings]
    errors = [r for r in run["results"] if r["level"] == "error"]
    assert len(errors) == len(result.failures)
    assert all("Mended by: " in r["message"]["text"] for r in errors)
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith(
        "ham%20"
    )


def test_text_of_a_hostile_package_is_harmless(tmp_path: Path) -> None:
    recipe = Recipe()
    name = "\x1b[31mred\x1b[0m\nnext line"
    hostile = replace(recipe, files=(*recipe.files, replace(recipe.files[0], name=name)))
    result = judge(tmp_path, hostile)
    assert result.stage.verdict is Verdict.FAIL
    assert all(cell.isprintable() for row in rows(result) for cell in row)
    assert result.stage.detail.isprintable()


@pytest.mark.parametrize("error", [MissingNeed("rpm is not installed"), Failure("rpm did not end")])
def test_real_rpm_missing_is_not_run(tmp_path: Path, error: Failure | MissingNeed) -> None:
    def runner(argv: Argv) -> Completed:
        raise error

    findings = real_checks(tmp_path / "x.rpm", runner)
    assert {f.verdict for f in findings} == {Verdict.NOT_RUN}
    assert all(error.message in f.seen for f in findings)


def test_payload_that_cannot_be_read_here_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without zstd nothing inside is judged, and that is no pass."""
    path = tmp_path / "zstd"
    path.write_bytes(b"")
    monkeypatch.setattr("hamkit.run.SYSTEM_PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr("hamkit.rpmfiles.unpack.SYSTEM_PATH", str(tmp_path / "nowhere"))
    frame = bytes.fromhex("28b52ffd0058010000")  # an empty zstd frame: never unpacked here
    result = judge(tmp_path, replace(Recipe(), compressor="gzip", packed=lambda _data: frame, tags=ZSTD))
    assert result.stage.verdict is Verdict.NOT_RUN
    assert "apt-get install zstd" in result.stage.detail
    assert {f.rule for f in result.findings if f.verdict is Verdict.NOT_RUN} >= {
        "files.digests",
        "files.list",
    }


ZSTD = {1125: (6, ["zstd"])}
