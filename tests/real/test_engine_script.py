"""ci/engine against a real dockerd: it lives as long as its users, and never longer."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from hamkit.files import project_root
from hamkit.run import Completed, find, run, spawn

SCRIPT = project_root() / "ci" / "engine"
PAUSE = "int pause(void); int main(void) { for (;;) pause(); }"

EngineScript = Callable[..., Completed]
User = Callable[[], tuple[subprocess.Popen[bytes], str]]


def may_start() -> bool:
    return os.geteuid() == 0 or run(["sudo", "-n", "true"], check=False).returncode == 0


pytestmark = [
    pytest.mark.skipif(not Path("/usr/sbin/dockerd").exists(), reason="dockerd: install docker.io"),
    pytest.mark.skipif(not may_start(), reason="starting dockerd needs root or sudo without a password"),
]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """No engine of the machine is in reach, and nothing of the user's cache is touched."""
    return {"HAM_CACHE": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}


@pytest.fixture
def engine(environment: dict[str, str]) -> Iterator[EngineScript]:
    def call(*words: str, check: bool = True) -> Completed:
        return run([SCRIPT, *words], env=environment, check=check, timeout=120)

    yield call
    call("stop")
    assert call("status", check=False).returncode == 3


def address(started: Completed) -> str:
    return started.stdout.strip().removeprefix("export DOCKER_HOST=")


def answers(host: str) -> bool:
    try:
        client = docker.DockerClient(base_url=host, timeout=5)
        return bool(client.ping())
    except docker.errors.DockerException:
        return False


@pytest.fixture
def user(environment: dict[str, str]) -> Iterator[User]:
    """Starts a user of the engine that goes on until it is killed; gives it and the address it got."""
    with ExitStack() as opened:

        def begin() -> tuple[subprocess.Popen[bytes], str]:
            command = [str(SCRIPT), "run", "--", "sh", "-c", 'echo "$DOCKER_HOST"; exec sleep 600']
            process = opened.enter_context(
                spawn(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            )
            assert process.stdout is not None
            return process, process.stdout.readline().decode().strip()

        yield begin


def test_a_command_gets_an_engine_and_keeps_its_status(engine: EngineScript) -> None:
    done = engine("run", "--", "sh", "-c", 'test -S "${DOCKER_HOST#unix://}" && exit 7', check=False)
    assert done.returncode == 7


def test_the_engine_stays_until_its_last_user_ends(engine: EngineScript, user: User) -> None:
    first, host = user()
    second, again = user()
    assert host == again
    first.send_signal(signal.SIGTERM)
    first.wait(10)
    assert answers(host)
    second.send_signal(signal.SIGKILL)
    second.wait(10)
    engine("stop")
    assert not answers(host)


def test_stop_refuses_while_a_run_uses_it(engine: EngineScript, user: User) -> None:
    process, host = user()
    refused = engine("stop", check=False)
    assert (refused.returncode, answers(host)) == (1, True)
    assert "still in use" in refused.stderr
    process.kill()


def test_start_keeps_it_over_runs(engine: EngineScript) -> None:
    host = address(engine("start"))
    assert engine("run", "--", "sh", "-c", "echo $DOCKER_HOST").stdout.strip() == host
    assert address(engine("start")) == host
    assert host in engine("status").stdout


def test_what_a_killed_engine_left_does_not_block(engine: EngineScript, tmp_path: Path) -> None:
    host = address(engine("start"))
    container = endless_container(host, tmp_path)
    folder = Path(host.removeprefix("unix://")).parent
    daemon = int((folder / "dockerd.pid").read_text())
    keeper = int(Path(f"/proc/{daemon}/stat").read_text().rpartition(")")[2].split()[1])
    for pid in (keeper, daemon):
        kill_as_root(pid)
    (folder / "dockerd.pid").write_text(str(os.getpid()))
    assert alive(container)

    assert engine("run", "--", "sh", "-c", "echo $DOCKER_HOST").stdout.strip() == host
    assert gone(container)


def test_a_failed_start_names_its_reason(engine: EngineScript, tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "data").write_text("not a folder")
    failed = engine("start", check=False)
    assert failed.returncode == 3
    assert f"{tmp_path}/engine/data" in failed.stderr
    without = engine("run", "--", "sh", "-c", "echo went on; exit 5", check=False)
    assert (without.returncode, without.stdout) == (5, "went on\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="chroot needs root")
def test_an_engine_of_another_root_file_system_is_left_alone(engine: EngineScript, tmp_path: Path) -> None:
    """It has the same name where the homes have the same path."""
    token = address(engine("start")).removeprefix("unix:///run/").split("/")[0]
    assert token.startswith("ham-engine-")
    engine("stop")
    root = tmp_path / "root"
    root.mkdir()
    compile_pause(root / "dockerd")
    argv: list[str | Path] = ["chroot", root, "/dockerd", f"--containerd-namespace={token}"]
    with spawn(argv, package="coreutils", stdout=subprocess.DEVNULL) as other:
        assert seen_as(other.pid, b"/dockerd")
        engine("start")
        engine("stop")
        assert alive(other.pid)


def compile_pause(target: Path) -> None:
    """A program that does nothing for ever, static."""
    source = target.with_suffix(".c")
    source.write_text(PAUSE)
    run(["gcc", "-static", "-o", target, source])


def seen_as(pid: int, program: bytes) -> bool:
    """Does the process become ``program`` within ten seconds?"""
    for _ in range(200):
        if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(program + b"\0"):
            return True
        time.sleep(0.05)
    return False


def endless_container(host: str, folder: Path) -> int:
    """Starts a container that never ends; the process id of its first process."""
    compile_pause(folder / "pause")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(folder / "pause", "pause")
    client = docker.DockerClient(base_url=host)
    client.api.import_image_from_data(archive.getvalue(), repository="pause", tag="latest")
    container = client.containers.run("pause:latest", ["/pause"], detach=True, network_mode="none")
    container.reload()
    return int(container.attrs["State"]["Pid"])


def kill_as_root(pid: int) -> None:
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    run([*sudo, find("kill", "procps"), "-KILL", str(pid)])
    assert gone(pid)


def gone(pid: int) -> bool:
    """Does the process end (a zombie has ended) within ten seconds?"""
    for _ in range(200):
        if not alive(pid):
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False
