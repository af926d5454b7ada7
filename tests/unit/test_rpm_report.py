"""A check's result as rows, JSON and SARIF."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from hamkit import specs
from hamkit.errors import Failure, MissingNeed
from hamkit.prove.rpm import (
    COLUMNS,
    CheckResult,
    Program,
    as_json,
    as_sarif,
    program_checks,
    real_checks,
    real_programs,
    rows,
)
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


def program(folder: Path, script: str) -> Program:
    """A program of the cache that is a script."""
    path = folder / "rpm"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Program("rpm-4.0.2", path)


@pytest.mark.parametrize("script", ["echo no such library >&2; exit 127", "echo no version"])
def test_a_program_that_cannot_be_started_is_not_run(tmp_path: Path, script: str) -> None:
    (finding,) = program_checks(tmp_path / "x.rpm", program(tmp_path, script), source=True)
    assert finding.verdict is Verdict.NOT_RUN
    assert script.split()[2] in finding.seen
    assert "rpm-4.0.2" in finding.fix


@pytest.mark.parametrize(("version", "option"), [("4.0.4", "--nogpg"), ("4.1", "--nosignature")])
def test_a_program_is_asked_in_its_own_words(tmp_path: Path, version: str, option: str) -> None:
    """Only digests, by what it knows; its home is its own, and a path that looks like an option is none."""
    log = tmp_path / "log"
    asked = program(tmp_path, f'printf "%s\\n" "$HOME $*" >> {log}\necho "RPM version {version}"')
    findings = program_checks(Path("-x.rpm"), asked, source=True)
    assert {f.rule for f in findings} == {"real.verify", "real.query", "real.list", "real.install"}
    assert all(f.title.startswith("rpm-4.0.2: ") and f.verdict is Verdict.PASS for f in findings)
    lines = [line.split() for line in log.read_text().splitlines()]
    assert len({line[0] for line in lines}) == 1
    assert not Path(lines[0][0]).exists(), "its home is gone"
    words = {line[1]: line[2:] for line in lines}
    assert option in words["-K"]
    assert ("--nosignature" in words["-qp"]) == (version == "4.1")
    assert all(words[each][-2:] == ["--", str(Path.cwd() / "-x.rpm")] for each in ("-K", "-qp", "-qpl", "-i"))
    assert [f.rule for f in program_checks(tmp_path, asked, source=False)] == [
        f.rule for f in findings if f.rule != "real.install"
    ]


def test_what_a_real_rpm_says_is_in_sarif(tmp_path: Path) -> None:
    asked = program(tmp_path, 'echo "RPM version 4.0.2"; case $1 in -K) echo "error: MD5" >&2; exit 1;; esac')
    findings = program_checks(tmp_path / "x.rpm", asked, source=True)
    whole = judge(tmp_path, Recipe())
    run = json.loads(as_sarif(replace(whole, findings=(*whole.findings, *findings)), tmp_path))["runs"][0]
    (failed,) = [each for each in run["results"] if each["kind"] == "fail"]
    assert failed["ruleId"] == "real.verify"
    assert run["tool"]["driver"]["rules"][failed["ruleIndex"]]["id"] == "real.verify"
    assert "error: MD5" in failed["message"]["text"]


def test_only_programs_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))
    spec = specs.load("rh73")
    assert spec.rpm.programs == ("rpm-4.0.3", "rpm-4.4.2")
    assert real_programs(spec) == ()
    (folder := tmp_path / "toolchains" / "rpm-4.4.2" / "bin").mkdir(parents=True)
    program(folder, "")
    assert [each.name for each in real_programs(spec)] == ["rpm-4.4.2"]


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
