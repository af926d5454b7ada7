"""Doctor on this machine, on one where nothing answers, and its one line."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hamkit import doctor
from hamkit.doctor import Need

NOWHERE = "unix:///nonexistent/docker.sock"


def need(name: str, found: bool, *disables: str) -> Need:
    return Need(name, "", found, "", disables, "")


def test_without_an_engine_it_says_what_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    needs = doctor.diagnose()
    engine = next(n for n in needs if n.name == "Docker Engine")
    assert not engine.found
    assert NOWHERE in engine.version
    assert engine.remedy
    assert not doctor.can_run("build", needs)
    assert doctor.can_run("model", needs)
    line = doctor.summary(needs)
    assert "\n" not in line
    assert line.startswith("Missing: Docker Engine")
    works = line.split("Still work: ")[1].rstrip(".").split(", ")
    assert "model" in works
    assert "build" not in works


def test_every_missing_need_names_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.setattr(doctor, "SYSTEM_PATH", str(tmp_path))
    needs = doctor.diagnose()
    absent = {n.name for n in needs if not n.found}
    assert {"qemu-system-x86_64", "rpmbuild", "gcc", "chromium"} <= absent
    assert all(n.remedy for n in needs if not n.found)
    assert doctor.missing("boot", needs)[0].name == "Docker Engine"


def test_a_full_disk_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))
    monkeypatch.setattr(doctor, "FREE_GIB", 1 << 40)
    space = next(n for n in doctor.diagnose() if n.name.startswith("space in"))
    assert not space.found
    assert "HAM_CACHE" in space.remedy


def test_a_probe_that_hangs_does_not_hold_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "ANSWER_SECONDS", 0.05)
    never = threading.Event()
    assert doctor._asked(never.wait, False)() is False


def test_summary_of_a_complete_machine() -> None:
    assert doctor.summary([need("x", True, "boot"), need("for information", False)]).startswith("Nothing")


def test_rows_fit_the_columns() -> None:
    rows = doctor.rows([need("x", False, "boot", "test"), need("y", True, "boot")])
    assert {len(row) for row in rows} == {len(doctor.COLUMNS)}
    assert [row[4] for row in rows] == ["boot, test", ""]
