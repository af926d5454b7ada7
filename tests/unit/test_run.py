"""Processes: clean environment, errors that can be acted on, nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hamkit.errors import Failure, MissingNeed
from hamkit.run import ToolFailed, find, paste, run, spawn


def test_output_and_environment_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD_LIKE", "leaked")
    done = run(["env"], env={"WANTED": "yes"})
    assert "WANTED=yes" in done.stdout
    assert "leaked" not in done.stdout
    assert "LC_ALL=C.UTF-8" in done.stdout


def test_input_reaches_the_program() -> None:
    assert run(["cat"], data=b"words").stdout == "words"


def test_no_shell_reads_the_words() -> None:
    assert run(["echo", "$(id); `id`"]).stdout == "$(id); `id`\n"


def test_failure_quotes_the_last_lines_and_the_command(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with pytest.raises(ToolFailed, match="status 7: broken") as caught:
        run(["sh", "-c", "echo broken >&2; exit 7"], log=log)
    assert caught.value.completed.returncode == 7
    assert "sh -c" in caught.value.hint
    assert "broken" in log.read_text()


def test_missing_program_names_its_package() -> None:
    with pytest.raises(MissingNeed) as caught:
        find("no-such-program-here", "some-package")
    assert caught.value.hint == "apt-get install some-package"


def test_time_limit_ends_the_whole_family(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(Failure, match="did not end within"):
        run(["sh", "-c", f"sleep 600 & echo $! > {mark}; wait"], timeout=1)
    _wait_for(lambda: not _alive(mark))


def test_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = f"from hamkit.run import run; run(['sh', '-c', 'echo $$ > {mark}; exec sleep 600'])"
    parent = subprocess.Popen([sys.executable, "-c", code])
    _wait_for(lambda: mark.exists() and bool(mark.read_text().strip()))
    assert _alive(mark)
    parent.kill()
    parent.wait()
    _wait_for(lambda: not _alive(mark))


def test_pasted_command_survives_a_shell() -> None:
    words = ["printf", "%s|", "a b", "it's", os.fspath(Path("/x y"))]
    assert subprocess.check_output(["sh", "-c", paste(words)], text=True) == "a b|it's|/x y|"


def _alive(mark: Path) -> bool:
    """Does the process whose number is in the file run? One that only waits to be reaped does not."""
    try:
        return (
            Path("/proc", mark.read_text().strip(), "stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False


def _wait_for(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_small_pages_are_for_the_one_process(tmp_path: Path) -> None:
    line = 'grep -s THP_enabled /proc/self/status || echo "THP_enabled: unknown"'
    said = []
    for small in (True, False):
        with (
            (tmp_path / "out").open("wb") as out,
            spawn(["sh", "-c", line], stdout=out.fileno(), small_pages=small) as process,
        ):
            process.wait()
        said.append((tmp_path / "out").read_text().split()[-1])
    assert said in (["0", "1"], ["unknown", "unknown"])
