"""The tasks as people and scripts call them: help, JSON, one line for a mistake, exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hamkit import show
from hamkit.files import project_root, write_whole

TASKS = [
    *("doctor", "specs", "facts", "patch", "image", "srpm", "check", "build", "boot", "judge"),
    *("model", "fuzz", "matrix", "compare", "reproduce", "release", "sign", "verify", "version.bump"),
    *("shell", "bench", "test", "lint", "clean"),
]
SMALL = str(project_root() / "tests" / "data" / "kernel" / "small24")
MAINLINE = str(project_root() / "specs" / "scenarios" / "default.toml")
ACTING = ["image", "srpm", "build", "boot", "release"]


def invoke(*words: str, cache: Path | None = None, engine: str = "unix:///nowhere/docker.sock") -> Any:
    env = os.environ | {"DOCKER_HOST": engine} | ({"HAM_CACHE": str(cache)} if cache else {})
    command = [sys.executable, "-m", "invoke", "--search-root", str(project_root()), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)


def test_every_task_is_there_and_says_what_it_does() -> None:
    done = invoke("--list", "--list-format=json")
    listing = json.loads(done.stdout)
    found = {t["name"]: t["help"] for t in listing["tasks"]}
    for group in listing["collections"]:
        found |= {f"{group['name']}.{t['name']}": t["help"] for t in group["tasks"]}
    assert set(TASKS) <= set(found)
    assert all(text and text.endswith(".") for text in found.values())


@pytest.mark.parametrize("task", TASKS)
def test_every_flag_has_help(task: str) -> None:
    done = invoke("--help", task)
    assert done.returncode == 0
    lines = done.stdout.split("Options:")[1].splitlines()
    flags = [i for i, line in enumerate(lines) if line.strip().startswith("-")]
    for i in flags:
        shown = lines[i].split("  ", 3)[-1].strip()
        assert len(shown.split()) > 1 or lines[i + 1].strip(), f"{task}: {lines[i]}"


def test_specs_as_table_and_json() -> None:
    assert "debian-12" in invoke("specs").stdout
    every = json.loads(invoke("specs", "--json").stdout)
    assert [s["distribution"]["name"] for s in every][:2] == ["debian-11", "debian-12"]
    one = json.loads(invoke("specs", "--distro", "debian-12", "--json").stdout)
    assert one["rpm"]["version"] == "4.18.0"


def test_model_as_table_and_json() -> None:
    assert "ENABLED" in invoke("model").stdout
    assert json.loads(invoke("model", "--json").stdout)["scenario"] == "default"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("specs", "--distro", "debian-1"), 2, "no distribution is called 'debian-1'"),
        (("release", "--distro", "nope"), 2, "no distribution is called 'nope'"),
        (("model", "--scenario", "/nowhere.toml"), 2, "/nowhere.toml"),
        (("check", "--srpm", "/nowhere.rpm", "--distro", "debian-12"), 2, "/nowhere.rpm"),
        (("judge", "--console", "/nowhere.log"), 2, "/nowhere.log"),
        (("fuzz",), 2, "--distro"),
        (("fuzz", "--tree", "/nowhere"), 2, "/nowhere"),
        (("fuzz", "--tree", "x", "--distro", "debian-12"), 2, "--distro"),
        (("fuzz", "--tree", "x", "--runs", "0"), 2, "cannot be"),
        (("fuzz", "--distro", "debian-12", "--highmem", "4G"), 2, "--highmem is for --tree"),
        (("release",), 2, "--distro is not given"),
        (("boot",), 2, "--distro is not given"),
        (("boot", "--tree", "/nowhere"), 2, "there is no kernel source /nowhere"),
        (("boot", "--tree", "x", "--distro", "debian-12"), 2, "--distro and --tree are both given"),
        (("boot", "--tree", SMALL, "--flavour", "big"), 2, "no flavour is called 'big'"),
        (("boot", "--tree", SMALL, "--highmem", "none"), 2, "added memory is high memory"),
        (
            ("boot", "--tree", SMALL, "--scenario", MAINLINE),
            2,
            "a scenario for mainline kernels, not for 2.4",
        ),
        (("build", "--tree", SMALL), 3, "no compiler for Linux 2.4 is installed"),
        (("check", "--distro", "debian-12"), 2, "--srpm is not given"),
        (("judge",), 2, "--console is not given"),
        (("srpm", "--distro", "rh71", "--package", "kernel"), 2, "there is no package 'kernel'"),
        (("srpm", "--distro", "rh71", "--package", "kernel-patch"), 2, "--tree is not given"),
        (("boot", "--distro", "rh71"), 2, "specs/rh71.toml names no kernel source"),
        (("bench", "--distro", "rh71"), 2, "specs/rh71.toml names no kernel source"),
        (("fuzz", "--distro", "rhel3"), 2, "specs/rhel3.toml names no kernel source"),
        (("patch", "--distro", "rh71"), 2, "specs/rh71.toml names no kernel source"),
        (("facts", "--distro", "debian-12"), 2, "nothing to patch"),
        (("facts",), 2, "--tree is not given"),
        (("facts", "--tree", "http://127.0.0.1:1/"), 2, "does not end in the name of a file"),
        (
            ("facts", "--tree", "http://127.0.0.1:1/linux.tar"),
            3,
            "cannot download http://127.0.0.1:1/linux.tar",
        ),
        (("srpm", "--distro", "rh71", "--tree", "x"), 2, "--tree is for --package kernel-patch"),
        (("srpm", "--distro", "rh71", "--reserve-mb", "64"), 2, "--reserve-mb is for --package kernel-patch"),
        (("srpm", "--distro", "el9", "--package", "kernel-patch", "--tree", "x"), 2, "nothing to patch"),
        (("build", "--distro", "el9", "--tree", "x"), 2, "nothing to patch"),
        (("image", "--distro", "rh71", "--mirror", "nonsense"), 2, "no package source: nonsense"),
        (("bench", "--distro", "debian-12", "--rounds", "0"), 2, "measures nothing"),
        (("bench", "--distro", "debian-12", "--tree", "x"), 2, "--distro and --tree are both given"),
        (("bench", "--tree", "/nowhere"), 2, "there is no kernel source /nowhere"),
        (("test", "--gate", "no-such"), 2, "no gate is called"),
        (("sign", "--distro", "debian-12"), 2, "--key is not given"),
        (("sign", "--distro", "debian-12", "--key", "x", "--out", "/nowhere"), 2, "there is no release in"),
        (("verify", "--distro", "debian-12", "--out", "/nowhere"), 2, "there is no release in"),
        (("matrix", "--kernels", "linux-9*", "--distros", "none"), 2, "no kernel source matches"),
        (("matrix", "--until", "paints"), 2, "no column is called"),
        (("matrix", "--jobs", "-1", "--kernels", "none", "--distros", "debian-12"), 2, "runs nothing"),
        (("matrix", "--explain", "x"), 2, "there is no last matrix"),
        (("matrix", "--ci", "cron", "--kernels", "none"), 2, "no CI is called"),
        (("compare",), 2, "--before is not given"),
        (("compare", "--before", "/nowhere", "--now", "/nowhere"), 2, "cannot read /nowhere"),
        (("version.bump",), 2, "give either --part or --to"),
        (("version.bump", "--to", "0.0.1"), 2, "is not above"),
        (("version.bump", "--to", "1.2"), 2, "is no version"),
        (("version.bump", "--part", "minor", "--date", "tomorrow"), 2, "--date tomorrow"),
        (("image", "--distro", "debian-12"), 3, "no Docker Engine answers"),
        (("shell", "--distro", "debian-12"), 3, "no Docker Engine answers"),
        (("release", "--distro", "debian-12", "--dry-run"), 3, "no Docker Engine answers"),
    ],
)
def test_mistake_or_missing_need_is_one_clear_message(
    words: tuple[str, ...], code: int, text: str, tmp_path: Path
) -> None:
    done = invoke(*words, cache=tmp_path)
    assert done.returncode == code
    assert [line for line in done.stderr.splitlines() if line.startswith("hamkit: ") and text in line]
    assert "Traceback" not in done.stderr
    if code == 3:
        assert "Still work: " in done.stderr


def test_scenario_mistakes_come_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('[scenario]\nname = "x"\n[machine]\nmemory = "1Q"\nboot_memory = 5\n')
    done = invoke("model", "--scenario", str(path))
    assert done.returncode == 2
    assert "machine.memory" in done.stderr
    assert "machine.boot_memory" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("boot", "--bogus"), "there is no flag --bogus (after boot)"),
        (("--bogus",), "there is no flag --bogus"),
        (("bogus",), "there is no task bogus"),
        (("boot", "debian-12"), "there is no task debian-12 (after boot)"),
        (("version.bmp",), "there is no task version.bmp"),
        (("boot", "--distro"), "--distro needs a value (after boot)"),
        (("bench", "--rounds", "many"), "'many' is not a number"),
        (("--help", "bogus"), "there is no task bogus"),
    ],
)
def test_mistakes_of_the_command_line_are_the_users(words: tuple[str, ...], said: str) -> None:
    done = invoke(*words)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"hamkit: {said}"
    assert "--list" in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert done.stdout == ""


def test_mistakes_of_the_command_line_as_json() -> None:
    done = invoke("model", "--json", "--bogus")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"] == "there is no flag --bogus (after model)"


def test_error_as_json() -> None:
    done = invoke("specs", "--distro", "x", "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["exit_code"] == 2
    assert "no distribution" in said["error"]


def test_clean_shows_first_and_spares_kernels_of_the_user(tmp_path: Path) -> None:
    for name in ("kernels/linux-2.4.13", "toolchains/gcc", "srpm/x", "runs/debian-12"):
        (tmp_path / name).mkdir(parents=True)
    shown = json.loads(invoke("clean", "--dry-run", "--json", cache=tmp_path).stdout)
    assert {Path(p).name for p in shown["folders"]} >= {"srpm", "runs"}
    assert (tmp_path / "srpm").exists()
    assert invoke("clean", cache=tmp_path).returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["kernels", "toolchains"]


@pytest.mark.parametrize("task", ACTING)
def test_tasks_that_act_can_show_their_plan(task: str) -> None:
    assert "--dry-run" in invoke("--help", task).stdout or "-n, --dry-run" in invoke("--help", task).stdout


@pytest.mark.parametrize("out", ["/dev/null", "{tree}"])
def test_a_place_that_cannot_be_or_is_somebody_elses(tmp_path: Path, out: str) -> None:
    """One line, the exit code of a user's mistake, and JSON alone; what was there is there."""
    tree = tmp_path / "tree"
    shutil.copytree(SMALL, tree)
    done = invoke(
        "patch", "--tree", str(tree), "--json", "--out", out.format(tree=tree), cache=tmp_path / "c"
    )
    assert done.returncode == 2, done.stderr
    assert json.loads(done.stdout)["exit_code"] == 2
    assert "Traceback" not in done.stderr
    assert (tree / "Makefile").is_file()


@pytest.mark.parametrize(
    "words", [("model", "--scenario"), ("judge", "--console"), ("compare", "--now", "x", "--before")]
)
def test_a_file_without_end_is_no_input(words: tuple[str, ...]) -> None:
    done = invoke(*words, "/dev/zero", "--json")
    assert done.returncode in (1, 2), done.stderr
    assert json.loads(done.stdout)
    assert "Traceback" not in done.stderr


def test_what_the_system_refuses_is_one_line_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, show.told(True, SystemExit, str):
        write_whole(Path("/proc/new"), "")
    seen = capsys.readouterr()
    assert left.value.code == json.loads(seen.out)["exit_code"] == 2
    assert seen.err.startswith("hamkit: /proc: No such file or directory\n")


def test_an_interrupt_tells_scripts_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left, show.told(True, SystemExit, str):
        raise KeyboardInterrupt
    assert left.value.code == json.loads(capsys.readouterr().out)["exit_code"] == 130


@pytest.mark.parametrize("flag", ["--highmem", "--flavour", "--toolchain", "--scenario"])
def test_the_matrix_asks_nothing_of_any_row_with_an_option_that_cannot_be(tmp_path: Path, flag: str) -> None:
    rows = ("--kernels", SMALL, "--distros", "none", "--until", "identify", "--json", "-")
    done = invoke("matrix", *rows, flag, "nonsense", cache=tmp_path)
    assert done.returncode == 2, done.stderr
    assert "nonsense" in json.loads(done.stdout)["error"]
