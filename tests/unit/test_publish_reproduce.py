"""reproduce.sh, run by sh on a small checkout whose bootstrap makes a source RPM."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from hamkit.publish.record import RunRecord, RunResult, RunStart, Shipped
from hamkit.publish.reproduce import render_script, repeating
from hamkit.publish.source import Source
from hamkit.run import Completed, run
from hamkit.stage import StageResult, Verdict

SRPM = "ham-0.1.0-1.src.rpm"
IMAGE = "sha256:" + "ab" * 32
WHO = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
BOOTSTRAP = f"""#!/bin/sh
dist=dist/debian-12
[ "$(cat status)" = 0 ] || dist=dist/failed/debian-12
mkdir -p "$dist"
printf %s "$(cat content)" >"$dist/{SRPM}"
printf '%s\\n' "$@" {IMAGE} >"$dist/result.json"
exit "$(cat status)"
"""


def checkout(folder: Path, content: str = "rpm", status: int = 0) -> str:
    """A git checkout that releases ``content`` and ends with ``status``; returns its commit."""
    folder.mkdir(exist_ok=True)
    for name, text in (("bootstrap", BOOTSTRAP), ("content", content), ("status", str(status))):
        (folder / name).write_text(text)
    (folder / "bootstrap").chmod(0o755)
    run(["git", "init", "-q", folder])
    run(["git", "-C", folder, "add", "."])
    run(["git", "-C", folder, *WHO, "commit", "-qm", content])
    return run(["git", "-C", folder, "rev-parse", "HEAD"]).stdout.strip()


def result(
    tmp_path: Path, commit: str | None, *, argv: tuple[str, ...] = ("release", "a b"), images: bool = True
) -> RunResult:
    record = RunRecord(tmp_path / "result.json", RunStart("debian-12", argv, (), Source(commit=commit)))
    record.add(StageResult("srpm", Verdict.PASS, 1.0))
    record.learn(images={"hamkit/debian-12": IMAGE} if images else {})
    srpm = Shipped(name=SRPM, sha256=hashlib.sha256(b"rpm").hexdigest(), size=3)
    return record.result.with_changes(artifacts=(srpm,))


def repeat(tmp_path: Path, recorded: RunResult, *words: str | Path) -> Completed:
    script = tmp_path / "evidence" / "reproduce.sh"
    script.parent.mkdir(exist_ok=True)
    script.write_text(render_script(recorded))
    temporary = tmp_path / "tmp"
    temporary.mkdir(exist_ok=True)
    return run(["sh", script, *words], env={"TMPDIR": str(temporary)}, check=False)


def test_a_locked_run_is_repeated_with_its_lock(tmp_path: Path) -> None:
    plain = result(tmp_path, None)
    assert "--lock" not in render_script(plain)
    image = plain.stages[0].model_copy(update={"inputs": {"lock": "sha256:" + "0" * 64}})
    locked = plain.with_changes(stages=(image,))
    assert '--lock "$here/build-environment.txt"' in render_script(locked)


def test_same_srpm_is_repeated(tmp_path: Path) -> None:
    commit = checkout(tmp_path / "hamkit")
    checkout(tmp_path / "hamkit", "a later commit")
    done = repeat(tmp_path, result(tmp_path, commit), tmp_path / "hamkit")
    assert done.returncode == 0, done.stderr
    assert f"SAME     {SRPM}" in done.stdout
    assert "SAME     image hamkit/debian-12" in done.stdout
    assert "repeated: debian-12" in done.stdout
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "hamkit" / "dist").exists()


def test_other_srpm_differs_and_is_kept(tmp_path: Path) -> None:
    commit = checkout(tmp_path / "hamkit", "other")
    done = repeat(tmp_path, result(tmp_path, commit), tmp_path / "hamkit")
    assert done.returncode == 1
    assert f"DIFFERS  {SRPM}" in done.stdout
    kept = Path(done.stderr.strip().rsplit(" ", 1)[1])
    assert (kept / SRPM).read_text() == "other"
    assert (kept / "result.json").read_text().splitlines()[:3] == ["release", "a b", "--renew"]


def test_run_that_fails_now_differs(tmp_path: Path) -> None:
    commit = checkout(tmp_path / "hamkit", status=1)
    done = repeat(tmp_path, result(tmp_path, commit), tmp_path / "hamkit")
    assert done.returncode == 1
    assert "the recorded run passed, this one ended with status 1" in done.stdout
    assert f"SAME     {SRPM}" in done.stdout


def test_missing_need_is_passed_on(tmp_path: Path) -> None:
    commit = checkout(tmp_path / "hamkit", status=3)
    assert repeat(tmp_path, result(tmp_path, commit), tmp_path / "hamkit").returncode == 3
    assert list((tmp_path / "tmp").iterdir()) == []


def test_commit_not_known_takes_the_files(tmp_path: Path) -> None:
    checkout(tmp_path / "hamkit")
    done = repeat(tmp_path, result(tmp_path, None), tmp_path / "hamkit")
    assert done.returncode == 0, done.stderr
    assert "is not known" in done.stderr


def test_commit_that_is_not_there(tmp_path: Path) -> None:
    checkout(tmp_path / "hamkit")
    done = repeat(tmp_path, result(tmp_path, "1" * 40), tmp_path / "hamkit")
    assert done.returncode == 1
    assert f"there is no commit {'1' * 40}" in done.stderr


def test_nothing_is_taken_from_the_cache() -> None:
    assert repeating(("release", "--distro", "x")) == ("release", "--distro", "x", "--renew")


def test_shipped_scenario_is_the_one_repeated(tmp_path: Path) -> None:
    run = result(tmp_path, None)
    assert "--scenario" not in render_script(run)
    shipped = Shipped(name="scenario.toml", sha256="0" * 64, size=1)
    with_one = run.with_changes(artifacts=(*run.artifacts, shipped))
    assert '--scenario "$here/scenario.toml"' in render_script(with_one)


def test_inside_a_checkout_none_need_be_named(tmp_path: Path) -> None:
    commit = checkout(tmp_path)
    done = repeat(tmp_path, result(tmp_path, commit))
    assert done.returncode == 0, done.stderr


def test_outside_a_checkout_one_must_be_named(tmp_path: Path) -> None:
    done = repeat(tmp_path, result(tmp_path, None))
    assert done.returncode == 2
    assert "does not lie in a checkout" in done.stderr
    assert repeat(tmp_path, result(tmp_path, None), "a", "b").returncode == 2


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs apt-get install shellcheck")
@pytest.mark.parametrize("srpms", [True, False])
@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("commit", ["1" * 40, None])
def test_shellcheck(tmp_path: Path, srpms: bool, images: bool, commit: str | None) -> None:
    hostile = ("release", "$(touch x)", "`id`", "it's", 'say "no"', "two\nlines", "--distro=debian-12")
    recorded = result(tmp_path, commit, argv=hostile, images=images)
    if not srpms:
        recorded = recorded.with_changes(artifacts=())
    script = tmp_path / "reproduce.sh"
    script.write_text(render_script(recorded))
    done = run(["shellcheck", "--shell=sh", "--exclude=SC2016", script], check=False)
    assert done.stdout == ""


def test_hostile_words_are_only_words(tmp_path: Path) -> None:
    hostile = ("$(touch taken)", "`touch taken`", "it's", ";touch taken", "two\nlines")
    commit = checkout(tmp_path / "hamkit", "other")
    done = repeat(tmp_path, result(tmp_path, commit, argv=hostile), tmp_path / "hamkit")
    kept = Path(done.stderr.strip().rsplit(" ", 1)[1])
    assert (kept / "result.json").read_text().startswith("\n".join(hostile))
    assert not list(tmp_path.rglob("taken"))
