"""A stage that is killed leaves nothing half-written, and running it again succeeds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hamkit import LABEL
from hamkit.build.engine import Engine
from hamkit.courses.distribution import Pipeline
from hamkit.files import PREFIX, cache_root, project_root

HEARING = ("env", "--default-signal=INT")  # tests started in the background hand an ignored SIGINT down
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, debian12: Pipeline) -> Path:
    """A cache of the test's own that has the image's files, so that every later stage is to be done."""
    taken = debian12.image.packages.parent
    monkeypatch.setenv("HAM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / "images").mkdir(parents=True)
    (tmp_path / "cache" / "images" / taken.name).symlink_to(taken)
    return tmp_path / "cache"


def _start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*HEARING, sys.executable, "-m", "invoke", "--search-root", str(project_root()), *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _wait_for(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.05)


def _jobs(engine: Engine, *status: str) -> list[object]:
    filters = {"label": [f"{LABEL}=job"]} | ({"status": list(status)} if status else {})
    return list(engine.api.containers(all=True, filters=filters))


def _machines(folder: Path) -> list[int]:
    """Processes of QEMU that write below the folder."""
    return [pid for pid, words in _processes() if b"qemu-system" in words and os.fsencode(folder) in words]


def _processes() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_killed_job(number: signal.Signals, away: Path, engine: Engine) -> None:
    before = {image.id for image in engine.client.images.list(all=True)}
    run = _start("build", "--distro", "debian-12")
    _wait_for(lambda: _jobs(engine, "running"), "the job")
    run.send_signal(number)
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "Traceback" not in output
    _wait_for(lambda: not _jobs(engine), "the end of the container")
    assert {image.id for image in engine.client.images.list(all=True)} == before
    assert [p for p in away.rglob("*.rpm") if p.suffixes[-2:] != [".src", ".rpm"]] == []
    if number is not signal.SIGKILL:
        assert list(away.rglob(f"{PREFIX}*")) == []


@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_killed_boot_and_the_run_after_it(number: signal.Signals, debian12: Pipeline, engine: Engine) -> None:
    assert debian12.rpms
    folder = cache_root() / "runs" / "debian-12"
    run = _start("boot", "--distro", "debian-12")
    _wait_for(lambda: _machines(folder), "QEMU")
    time.sleep(1)
    run.send_signal(number)
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "Traceback" not in output
    _wait_for(lambda: not _machines(folder), "the end of QEMU", 20)
    assert (folder / "boot" / "console.log").exists(), "what the guest said until then is kept"


@pytest.mark.parametrize("number", SIGNALS, ids=lambda s: s.name)
def test_killed_installation(number: signal.Signals, engine: Engine, debian12: Pipeline) -> None:
    base = debian12.image.base.digest
    before = {image.id for image in engine.client.images.list(all=True)}
    code = (
        "from pathlib import Path; from hamkit.build.engine import Engine; import hamkit.show as show\n"
        "with show.told(False, SystemExit, str):\n"
        f"    Engine.connect().build('FROM {base}\\nRUN touch /half; sleep 600\\n', 'hamkit/half:x',"
        " Path('/dev/null'), lambda _: None)\n"
    )
    run = subprocess.Popen([*HEARING, sys.executable, "-c", code])
    _wait_for(lambda: engine.api.containers(filters={"ancestor": base}), "the build's container")
    run.send_signal(number)
    assert run.wait(60) != 0
    _wait_for(lambda: not engine.api.containers(all=True, filters={"ancestor": base}), "the container's end")
    assert {image.id for image in engine.client.images.list(all=True)} == before


def test_container_killed_before_its_start_is_swept(
    engine: Engine, debian12: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = engine.api.create_container(debian12.image.digest, ["true"], labels={LABEL: "job"})
    engine.sweep()
    assert [c["Id"] for c in engine.api.containers(all=True, filters={"id": made["Id"]})] == [made["Id"]]
    monkeypatch.setattr("hamkit.build.engine.STALE_SECONDS", 0)
    engine.sweep()
    assert engine.api.containers(all=True, filters={"id": made["Id"]}) == []


def test_leftovers_of_a_killed_bootstrap_are_swept(cache: Path) -> None:
    left = cache / "work" / f"{PREFIX}999999999-base-x" / "tree"
    left.mkdir(parents=True)
    code = "from hamkit.files import scratch_folder\nwith scratch_folder('y'): pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list((cache / "work").iterdir()) == []
