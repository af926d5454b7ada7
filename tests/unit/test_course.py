"""Where runs keep their logs: no two write into one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from hamkit.courses.course import Course
from hamkit.progress import Quiet


class Bare(Course):
    subject = "debian-12"
    keep = False

    def __init__(self, keep: bool = False) -> None:
        self.progress, self.keep = Quiet(), keep


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HAM_CACHE", str(tmp_path))


def test_a_locked_run_replaces_what_the_last_one_left() -> None:
    for _ in range(2):
        run = Bare()
        with run.locked():
            run.logs.mkdir(parents=True)  # raises if the last one's is still there
        assert run.logs.is_dir(), "the logs outlive the lock"


def test_kept_runs_of_one_second_have_folders_of_their_own() -> None:
    runs = [Bare(keep=True) for _ in range(3)]
    runs[0].logs.mkdir(parents=True)
    (runs[0].logs / "a.log").touch()
    assert len({run.logs for run in runs}) == 3
    with runs[0].locked():
        pass
    assert (runs[0].logs / "a.log").is_file()
