"""result.json: verdicts, early writing, the shipped schema, nothing of this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from hamkit.errors import UserError
from hamkit.files import cache_root, project_root
from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.publish.places import Places
from hamkit.publish.record import SCHEMA_FILE, RunRecord, RunStart, load, schema_text
from hamkit.publish.source import Source
from hamkit.run import run
from hamkit.stage import Artifact, StageResult, Verdict

ZONE = ("Normal", 65536, 65536, 65536)


def start(*planned: str) -> RunStart:
    return RunStart("debian-12", ("release", "--distro", "debian-12"), planned)


def stage(name: str, verdict: Verdict = Verdict.PASS, **more: Any) -> StageResult:
    return StageResult(name, verdict, 1.25, **more)


def comparison(verdict: Verdict = Verdict.PASS) -> Comparison:
    step = StepView(0, "after boot", "0", 468_556, 439_520, 468_556, (ZONE,), ("a line",))
    return Comparison((Check(0, "MemTotal", "468556", "468556", verdict),), (step,))


def on_disk(record: RunRecord) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(record.path.read_text())
    return content


def test_file_is_there_before_the_first_stage(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "run" / "result.json", start("srpm", "boot"))
    seen = on_disk(record)
    assert seen["verdict"] == "not run"
    assert [(s["name"], s["verdict"], s["detail"]) for s in seen["stages"]] == [
        ("srpm", "not run", "not reached"),
        ("boot", "not run", "not reached"),
    ]
    assert seen["started"].endswith("Z")


def test_stages_take_their_planned_places(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "result.json", start("srpm", "boot"))
    for name in ("boot", "extra", "srpm", "srpm"):
        record.add(stage(name))
        assert load(record.path) == record.result
    assert [s["name"] for s in on_disk(record)["stages"]] == ["srpm", "boot", "extra", "srpm"]


@pytest.mark.parametrize(
    ("verdicts", "due"),
    [
        ([], "not run"),
        (["pass"], "pass"),
        (["pass", "not run"], "not run"),
        (["unsupported", "pass"], "unsupported"),
        (["unsupported", "not run"], "not run"),
        (["not run", "fail", "unsupported"], "fail"),
    ],
)
def test_overall_verdict(tmp_path: Path, verdicts: list[str], due: str) -> None:
    record = RunRecord(tmp_path / "result.json", start())
    for number, verdict in enumerate(verdicts):
        record.add(stage(f"s{number}", Verdict(verdict)))
    assert on_disk(record)["verdict"] == due


@pytest.mark.parametrize("verdict", [v for v in Verdict if v is not Verdict.PASS])
def test_a_check_that_does_not_hold_fails_a_run_whose_stages_pass(tmp_path: Path, verdict: Verdict) -> None:
    record = RunRecord(tmp_path / "result.json", start())
    record.add(stage("prove"))
    record.compare(comparison())
    assert on_disk(record)["verdict"] == "pass"
    record.compare(comparison(verdict))
    assert on_disk(record)["verdict"] == "fail"


def test_learning_adds_up(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "result.json", start("srpm"))
    record.learn(kernel_release="6.1.0-50-amd64", tools={"gcc": "12.2.0"}, processes=[["rpmbuild", "-bs"]])
    record.learn(tools={"rpm": "4.18.0"}, images={"debian": "sha256:00"}, processes=[["rpm", "-q"]])
    seen = on_disk(record)
    assert seen["kernel_release"] == "6.1.0-50-amd64"
    assert seen["tools"] == {"gcc": "12.2.0", "rpm": "4.18.0"}
    assert seen["images"] == {"debian": "sha256:00"}
    assert seen["processes"] == [["rpmbuild", "-bs"], ["rpm", "-q"]]


def full_record(tmp_path: Path) -> RunRecord:
    built = tmp_path / "ham.src.rpm"
    built.write_bytes(b"rpm")
    begin = RunStart("debian-12", ("release", str(project_root() / "specs")), (), Source(commit="0" * 40))
    record = RunRecord(tmp_path / "result.json", begin)
    facts = {"tree": project_root() / "ham-src", "pair": (1, None), "ratio": 1.5, "deep": {"ok": True}}
    record.add(
        stage(
            "srpm",
            detail=f"built in {cache_root()}/jobs/x",
            inputs={"ham-src": "0" * 64},
            outputs=(Artifact.of(built),),
            facts=facts,
        )
    )
    record.learn(processes=[["gcc", f"-I{project_root()}/ham-src", f"--out={Path.home()}/x"]])
    record.compare(comparison())
    return record


def test_real_output_is_valid_by_the_shipped_schema(tmp_path: Path) -> None:
    schema = json.loads(SCHEMA_FILE.read_text())
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    validator.check_schema(schema)
    content = on_disk(full_record(tmp_path))
    validator.validate(content)
    content["stages"][0]["verdict"] = "passed"
    with pytest.raises(jsonschema.ValidationError, match="passed"):
        validator.validate(content)


def test_shipped_schema_is_the_generated_one() -> None:
    again = "from hamkit.publish.record import *; SCHEMA_FILE.write_text(schema_text())"
    assert SCHEMA_FILE.read_text() == schema_text(), f"make it anew: python -c '{again}'"


def test_nothing_of_this_machine_is_recorded(tmp_path: Path) -> None:
    record = full_record(tmp_path)
    text = record.path.read_text()
    for folder in (project_root(), cache_root(), tmp_path):
        assert str(folder) not in text
    seen = json.loads(text)
    assert seen["argv"] == ["release", "./specs"]
    assert seen["stages"][0]["detail"] == "built in <cache>/jobs/x"
    assert seen["stages"][0]["facts"] == {
        "tree": "./ham-src",
        "pair": [1, None],
        "ratio": 1.5,
        "deep": {"ok": True},
    }
    assert seen["stages"][0]["outputs"][0]["name"] == "ham.src.rpm"
    assert seen["processes"] == [["gcc", "-I./ham-src", "--out=<home>/x"]]


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("/srv/a", "<a>"),
        ("/srv/a/b", "<a>/b"),
        ("/srv/a/deep/x", "<deep>/x"),
        ("see '/srv/a/b': /srv/a", "see '<a>/b': <a>"),
        ("-L/srv/a -v /srv/a:/src", "-L<a> -v <a>:/src"),
        ("file:///srv/a/b", "file://<a>/b"),
        ("/srv/ab /srv/a-b /x/srv/a ./srv/a", "/srv/ab /srv/a-b /x/srv/a ./srv/a"),
    ],
)
def test_places(text: str, due: str) -> None:
    places = Places({"<a>": Path("/srv/a"), "<deep>": Path("/srv/a/deep"), "<root>": Path("/")})
    assert places.hide(text) == due


def test_reading_lists_every_mistake(tmp_path: Path) -> None:
    record = full_record(tmp_path)
    content = on_disk(record) | {"distro": "../x", "seconds": -1, "colour": "red"}
    record.path.write_text(json.dumps(content))
    with pytest.raises(UserError) as caught:
        load(record.path)
    for field in ("distro", "seconds", "colour"):
        assert f"{field}: " in caught.value.message


def test_a_verdict_that_does_not_follow_is_refused(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "result.json", start("boot"))
    record.path.write_text(json.dumps(on_disk(record) | {"verdict": "pass"}))
    with pytest.raises(UserError, match="verdict is 'pass', but the stages make it 'not run'"):
        load(record.path)


def test_reading_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read"):
        load(tmp_path / "result.json")


def test_source_of_a_checkout(tmp_path: Path) -> None:
    assert Source.of(tmp_path) == Source(commit=None, modified=False)
    run(["git", "init", "-q", tmp_path])
    (tmp_path / "file").write_text("one")
    run(["git", "-C", tmp_path, "add", "file"])
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    run(["git", "-C", tmp_path, *who, "commit", "-qm", "first"])
    clean = Source.of(tmp_path)
    assert clean.commit is not None
    assert not clean.modified
    (tmp_path / "file").write_text("two")
    assert Source.of(tmp_path) == Source(commit=clean.commit, modified=True)
    (tmp_path / "file").write_text("one")
    assert Source.of(tmp_path) == clean
    (tmp_path / "new").touch()
    assert Source.of(tmp_path) == Source(commit=clean.commit, modified=True)
