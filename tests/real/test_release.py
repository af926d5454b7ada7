"""The main job whole, as a user starts it; and every kernel line that Debian ships."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from hamkit import LABEL, scenarios, specs
from hamkit.courses.distribution import Pipeline, Request
from hamkit.files import project_root
from hamkit.progress import Quiet
from hamkit.publish.sums import verify_sums
from hamkit.stage import Verdict

from .conftest import Pipelines

BOOTED = [n for n, spec in specs.load_all().items() if spec.image.suite and n != "debian-12"]
INVOKE = [sys.executable, "-m", "invoke", "--search-root", str(project_root())]


def _invoke(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*INVOKE, *words], capture_output=True, text=True, check=False, timeout=600)


@pytest.fixture(scope="module")
def released(debian12: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dist/debian-12 of one whole release."""
    assert debian12.rpms
    dist = tmp_path_factory.mktemp("dist")
    done = _invoke("release", "--distro", "debian-12", "--out", str(dist))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "136 of 136" in done.stdout or "checks agree with the model" in done.stdout
    return dist / "debian-12"


def test_release_leaves_all_that_it_promises(released: Path) -> None:
    names = {path.name for path in released.iterdir()}
    assert {
        "index.html",
        "result.json",
        "reproduce.sh",
        "scenario.toml",
        "SHA256SUMS",
        "console.log",
        "report.log",
    } <= names
    assert len([n for n in names if n.endswith(".src.rpm")]) == 1
    assert len([n for n in names if n.endswith(".x86_64.rpm")]) == 5
    assert verify_sums(released) == len(names) - 1
    assert os.access(released / "reproduce.sh", os.X_OK)


def test_result_tells_the_run_and_obeys_its_schema(released: Path) -> None:
    result = json.loads((released / "result.json").read_text())
    schema = json.loads((project_root() / "hamkit" / "publish" / "result.schema.json").read_text())
    jsonschema.validate(result, schema)
    assert result["verdict"] == "pass"
    stages = [(s["name"], s["verdict"]) for s in result["stages"]]
    assert stages == [(n, "pass") for n in ("image", "srpm", "check", "build", "boot", "prove", "publish")]
    assert all(c["verdict"] == "pass" for c in result["comparison"]["checks"])
    assert str(project_root()) not in json.dumps(result)


def test_memory_grew_while_linux_ran(released: Path) -> None:
    steps = json.loads((released / "result.json").read_text())["comparison"]["steps"]
    assert steps[-1]["mem_total_kib"] - steps[0]["mem_total_kib"] == 768 * 1024
    assert all(s["mem_total_kib"] == s["expected_total_kib"] for s in steps)
    assert steps[-1]["status"][0] == "0000000008000000-000000000fffffff  rw ENABLED"
    assert "bytes verified, 0 bad pages" in (released / "report.log").read_text()


@pytest.mark.parametrize("distro", BOOTED)
def test_every_line_takes_memory_as_the_model_says(distro: str, pipelines: Pipelines) -> None:
    run = pipelines.get(distro)
    assert run.booted.stage.verdict is Verdict.PASS, run.booted.stage.detail
    wrong = [c for c in run.proved.checks if c.verdict is not Verdict.PASS]
    assert wrong == []
    assert len(run.proved.steps) == len(run.request.scenario.steps) + 1


def test_failed_ranges_retry_and_misuse(debian12: Pipeline) -> None:
    scenario = scenarios.load(scenarios.scenarios_folder() / "misuse.toml")
    run = Pipeline(Request(debian12.request.spec, scenario, testing=True, keep=True), Quiet())
    assert run.booted.stage.verdict is Verdict.PASS, run.booted.stage.detail
    assert [c for c in run.proved.checks if c.verdict is not Verdict.PASS] == []
    shown = {line.split()[-1] for line in run.proved.steps[3].status}
    assert shown == {"FAILED"}
    assert run.booted.report.count("\nok ") >= 60, "hamabuse ran twice"


def test_plan_shows_what_the_cache_holds(debian12: Pipeline) -> None:
    assert debian12.rpms
    plan = json.loads(_invoke("release", "--distro", "debian-12", "--dry-run", "--json").stdout)
    assert {p["stage"]: p["cached"] for p in plan} == {
        "image": True,
        "srpm": True,
        "check": False,
        "build": True,
        "boot": False,
        "prove": False,
    }


def test_shell_stands_where_the_last_job_stood(debian12: Pipeline) -> None:
    assert debian12.rpms
    said, status = _at_a_terminal(["shell", "--distro", "debian-12"], b"ls /job/in; exit 7\n")
    assert "rpmbuild" in said
    assert "ham-" in said
    assert status == 7
    assert debian12.engine.api.containers(all=True, filters={"label": LABEL}) == []


def _at_a_terminal(words: list[str], typed: bytes) -> tuple[str, int]:
    """Run a task on a terminal of its own and type into it; what it said, and its status."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen([*INVOKE, *words], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said, end, sent = b"", time.monotonic() + 60, False
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            said += os.read(ours, 4096) if ready else b""
        except OSError:
            break
        if not sent and (b"# " in said or b"$ " in said):
            os.write(ours, typed)
            sent = True
        if run.poll() is not None and not ready:
            break
    status = run.wait(30)
    os.close(ours)
    return said.decode(errors="replace"), status
