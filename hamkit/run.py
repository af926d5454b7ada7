"""The one place that starts a process.

Argument vectors only, a clean environment, a log, a time limit; never a shell
string, never ``chdir``. A child never outlives hamkit: it runs in a session of
its own that is killed with the call, and the kernel sends it a signal should
hamkit itself be killed (``setpriv --pdeathsig``).
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import Failure, MissingNeed

KEPT_ENVIRONMENT = ("HOME", "TMPDIR", "SSL_CERT_FILE", "http_proxy", "https_proxy", "no_proxy")
TERMINAL_ENVIRONMENT = ("TERM", "COLUMNS", "LINES", "CI", "DOCKER_HOST", "HAM_CACHE")
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
GRACE_SECONDS = 5.0
PR_SET_THP_DISABLE = 41
TAIL_LINES = 12

Argv = Sequence[str | os.PathLike[str]]


@dataclass(frozen=True)
class Completed:
    """A finished process. ``seconds`` is wall time; output is decoded as UTF-8."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float


class ToolFailed(Failure):
    """A program ended with a non-zero status; carries the finished process."""

    def __init__(self, completed: Completed, log: Path | None) -> None:
        tail = "\n".join((completed.stderr or completed.stdout).splitlines()[-TAIL_LINES:])
        where = f"whole log: {log}; " if log else ""
        super().__init__(
            f"{completed.argv[0]} ended with status {completed.returncode}: {tail.strip() or 'no output'}",
            f"{where}to repeat: {paste(completed.argv)}",
        )
        self.completed = completed


def paste(argv: Argv) -> str:
    """The command as a line that can be pasted into a shell."""
    return shlex.join(os.fspath(a) for a in argv)


def find(program: str, package: str = "") -> Path:
    """Path of a program.

    Raises MissingNeed naming the Debian ``package`` that holds it.
    """
    path = shutil.which(program, path=SYSTEM_PATH)
    if path is None:
        raise MissingNeed(f"{program} is not installed", install_hint(package or program))
    return Path(path)


def install_hint(package: str) -> str:
    """The command that installs a Debian package; ``NAME:ARCHITECTURE`` is one of another architecture."""
    _, _, architecture = package.partition(":")
    first = f"dpkg --add-architecture {architecture}; apt-get update; " if architecture else ""
    return f"{first}apt-get install {package}"


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment every child gets: nothing of the caller's but what is named here."""
    base = {k: os.environ[k] for k in KEPT_ENVIRONMENT if k in os.environ}
    return base | {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "TZ": "UTC"} | dict(extra or {})


@contextmanager
def spawn(
    argv: Argv,
    *,
    package: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
    stderr: int = subprocess.STDOUT,
    small_pages: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process and kill its whole session when the block ends.

    ``small_pages``: none of its memory comes in huge pages, for one that touches little of much.
    Raises MissingNeed when the program is not installed.
    """
    words = [os.fspath(a) for a in argv]
    program = words[0] if "/" in words[0] else str(find(words[0], package))
    guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
    with _without_huge_pages() if small_pages else nullcontext():
        process = subprocess.Popen(
            [*guard, program, *words[1:]],
            env=clean_environment(env),
            cwd=cwd,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill_session(process)


@contextmanager
def _without_huge_pages() -> Iterator[None]:
    """What is started meanwhile inherits it; where the kernel does not know the option, nothing changes."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started: SIGTERM, then SIGKILL after a grace."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def run(
    argv: Argv,
    *,
    package: str = "",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    data: bytes | None = None,
    log: Path | None = None,
    timeout: float = 600.0,
    check: bool = True,
) -> Completed:
    """Run a program to its end and return its output.

    ``data`` goes to its standard input; ``log`` gets the command and both outputs
    appended. Raises MissingNeed (not installed), ToolFailed (non-zero status, when
    ``check``), Failure (``timeout`` seconds passed).
    """
    words = tuple(os.fspath(a) for a in argv)
    begin = time.monotonic()
    pipe = subprocess.PIPE
    with spawn(
        argv,
        package=package,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL if data is None else pipe,
        stdout=pipe,
        stderr=pipe,
    ) as process:
        try:
            out, err = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired as late:
            raise Failure(
                f"{words[0]} did not end within {timeout:.0f} s", f"to repeat: {paste(words)}"
            ) from late
    done = Completed(
        words,
        process.returncode,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        time.monotonic() - begin,
    )
    if log is not None:
        _append(log, done)
    if check and done.returncode != 0:
        raise ToolFailed(done, log)
    return done


def interactive(argv: Argv, package: str = "") -> int:
    """Run a program on the caller's terminal and return its status. Raises MissingNeed."""
    words = [os.fspath(a) for a in argv]
    environment = clean_environment() | {k: os.environ[k] for k in TERMINAL_ENVIRONMENT if k in os.environ}
    program = words[0] if "/" in words[0] else str(find(words[0], package))
    return subprocess.call([program, *words[1:]], env=environment)


def _append(log: Path, done: Completed) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {paste(done.argv)}\n{done.stdout}{done.stderr}")
        stream.write(f"[status {done.returncode}, {done.seconds:.1f} s]\n")
