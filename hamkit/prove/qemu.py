"""One QEMU machine under our control: started, watched and questioned through QMP, never outliving us.

Synchronous outside; the asyncio loop of the QMP client only runs inside these calls.
Software emulation only: what is measured and proven must not depend on the host's KVM.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from qemu.qmp import ConnectError, EventListener, QMPClient, QMPError

from hamkit.errors import Failure
from hamkit.files import PREFIX, sweep
from hamkit.run import run, spawn

PROGRAM, PACKAGE = "qemu-system-x86_64", "qemu-system-x86"
CONNECT_SECONDS = 30.0
ANSWER_SECONDS = 5.0
LONGEST_PARENT = 70
TICK = 0.02  # seconds between looks for the control socket
REGISTERS = re.compile(r"\b(RIP|EIP|CPL|HLT)=([0-9a-fA-F]+)")

# What its client would log on standard error is told by our own errors and verdicts.
logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())


class Startable(Protocol):
    """A machine that ``session`` can start. ``console`` and ``report``: logs of its serial ports."""

    @property
    def console(self) -> Path: ...

    @property
    def report(self) -> Path: ...

    @property
    def small_pages(self) -> bool:
        """Whether QEMU's memory is not to come in huge pages (see ``hamkit.run.spawn``)."""

    def argv(self, control: Path) -> tuple[str, ...]:
        """QEMU's argument vector, with its QMP server at the socket ``control``."""


def version() -> str:
    """QEMU's version, as it says it. Raises MissingNeed when it is not installed."""
    done = run([PROGRAM, "--version"], package=PACKAGE)
    return done.stdout.splitlines()[0].removeprefix("QEMU emulator version ")


@dataclass(frozen=True)
class Machine:
    """What to start. ``memory`` in bytes; ``console`` and ``report`` get the two serial ports, raw.

    ``graphics=off`` makes the firmware speak on the first serial port. ERMS is masked because
    emulated byte-wise string instructions are several times slower than the kernel's other ways
    to copy and clear memory. ``low_memory`` (bytes): so much RAM lies below 4 GiB at most, 0: as the board
    has it. ``serve``: the second port is the socket ``report`` beside the control socket. ``small_pages``:
    the host clears no huge pages for it, of which the guest touches little.
    """

    kernel: Path
    initramfs: Path
    append: str
    memory: int
    console: Path
    report: Path
    cpus: int = 1
    model: str = "max,-erms"
    low_memory: int = 0
    serve: bool = False
    small_pages: bool = True

    def argv(self, control: Path) -> tuple[str, ...]:
        """QEMU's argument vector, with its QMP server at the socket ``control``."""
        threads = "multi" if self.cpus > 1 else "single"
        below = f",max-ram-below-4g={self.low_memory}" if self.low_memory else ""
        return (
            PROGRAM,
            *("-no-user-config", "-nodefaults", "-no-reboot"),
            *("-machine", f"q35,graphics=off{below}", "-accel", f"tcg,thread={threads}"),
            *("-cpu", self.model, "-smp", str(self.cpus), "-m", f"{self.memory // 1024}k"),
            *("-display", "none", "-vga", "none"),
            *("-chardev", f"file,id=console,path={_quoted(self.console)}", "-serial", "chardev:console"),
            *("-chardev", self._port(control), "-serial", "chardev:report"),
            *("-chardev", f"socket,id=control,path={_quoted(control)},server=on,wait=off"),
            *("-mon", "chardev=control,mode=control"),
            *("-kernel", os.fspath(self.kernel), "-initrd", os.fspath(self.initramfs)),
            *("-append", self.append),
        )

    def _port(self, control: Path) -> str:
        if not self.serve:
            return f"file,id=report,path={_quoted(self.report)}"
        return f"socket,id=report,path={_quoted(report_socket(control))},server=on,wait=off"


def report_socket(control: Path) -> Path:
    """Where the second serial port of a machine under control can be reached."""
    return control.with_name("report")


class Session:
    """A running machine, made by ``session``. Not to be shared between threads."""

    def __init__(
        self, argv: tuple[str, ...], process: subprocess.Popen[bytes], runner: asyncio.Runner, control: Path
    ) -> None:
        self.argv, self.control = argv, control
        self.patience = ANSWER_SECONDS  # for one answer; a busy QEMU may need more
        self._process, self._runner = process, runner
        self._pidfd = os.pidfd_open(process.pid)
        self._client = QMPClient("hamkit")
        self._shutdown = EventListener("SHUTDOWN")
        self._client.register_listener(self._shutdown)

    @property
    def returncode(self) -> int | None:
        """QEMU's exit status (negative: the signal that killed it), None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float, *until: int) -> bool:
        """Let the machine run for a while, or until one of these files can be read; True once QEMU ended."""
        select.select([self._pidfd, *until], [], [], seconds)
        return self.returncode is not None

    def execute(self, command: str, **arguments: object) -> Any:
        """The answer to a QMP command. Raises Failure when QEMU refuses it or does not answer."""
        try:
            return self._runner.run(asyncio.wait_for(self._client.execute(command, arguments), self.patience))
        except (QMPError, OSError, TimeoutError) as bad:
            raise Failure(
                f"QEMU does not carry out {command}: {type(bad).__name__} {bad}".rstrip(),
                "see the log of QEMU's own messages",
            ) from bad

    def monitor(self, line: str) -> str:
        """What QEMU's monitor for people says to a line. Raises Failure."""
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def shutdown_reason(self) -> str:
        """Why the ended machine stopped, in QEMU's words (``guest-reset``...), or nothing."""
        self._runner.run(self._drain())
        data = next((event.get("data") for event in self._shutdown.clear()), None)
        return str(data.get("reason", "")) if isinstance(data, dict) else ""

    def describe(self) -> tuple[str, ...]:
        """What QEMU can tell of a machine that is stuck: its status and where each CPU is."""
        return self._runner.run(self._describe())

    def connect(self, control: Path) -> None:
        """Take control, unless QEMU ends first. Raises Failure when it does not listen in time."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while self.returncode is None and not self._runner.run(self._try(control)):
            if time.monotonic() > deadline:
                raise Failure(
                    f"QEMU does not answer on its control socket within {CONNECT_SECONDS:.0f} s",
                    "the machine may be overloaded, run again",
                )
            self.wait(TICK)

    def close(self) -> None:
        """Let go of the connection; the machine is ended by ``session``."""
        self._runner.run(self._drain())
        os.close(self._pidfd)

    async def _try(self, control: Path) -> bool:
        if not control.exists():
            return False
        try:
            await self._client.connect(os.fspath(control))
        except (OSError, ConnectError):
            return False
        return True

    async def _drain(self) -> None:
        with suppress(QMPError, EOFError, OSError, TimeoutError):
            await asyncio.wait_for(self._client.disconnect(), ANSWER_SECONDS)

    async def _describe(self) -> tuple[str, ...]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status = await self._client.execute("query-status")
                dump = await self._client.execute(
                    "human-monitor-command", {"command-line": "info registers -a"}
                )
        except (QMPError, OSError, TimeoutError) as bad:
            return (f"QEMU does not answer: {type(bad).__name__} {bad}".rstrip(),)
        state = status.get("status", "?") if isinstance(status, dict) else "?"
        return (f"QEMU says: {state}", *_cpus(str(dump)))


@contextmanager
def session(machine: Startable, log: Path) -> Iterator[Session]:
    """Run ``machine``; QEMU's own messages go to ``log``. Whatever happens, QEMU is gone afterwards.

    Raises MissingNeed when QEMU is not installed, Failure when it cannot be controlled.
    """
    with _socket_folder() as folder, log.open("wb") as out, asyncio.Runner() as runner:
        control = folder / "qmp"
        argv = machine.argv(control)
        with spawn(argv, package=PACKAGE, stdout=out.fileno(), small_pages=machine.small_pages) as process:
            running = Session(argv, process, runner, control)
            try:
                running.connect(control)
                yield running
            finally:
                running.close()


@contextmanager
def _socket_folder() -> Iterator[Path]:
    """A private folder with a short name: the address of a UNIX socket has at most 107 bytes."""
    parent = Path(tempfile.gettempdir())
    if len(os.fspath(parent)) > LONGEST_PARENT:
        parent = Path("/tmp")  # noqa: S108 - the folder made in it is private
    sweep(parent)
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", dir=parent) as name:
        yield Path(name)


def _quoted(path: Path) -> str:
    """A path as the value of a QEMU option, where a comma ends a value unless doubled."""
    return os.fspath(path).replace(",", ",,")


def _cpus(dump: str) -> list[str]:
    """One line a CPU from ``info registers -a``: instruction pointer, privilege level, halted or not."""
    blocks = re.split(r"^CPU#(\d+)$", dump, flags=re.MULTILINE)
    numbered = list(zip(blocks[1::2], blocks[2::2], strict=True)) or [("0", dump)]
    lines = []
    for number, block in numbered:
        values = dict(REGISTERS.findall(block))
        place = values.get("RIP") or values.get("EIP", "?")
        halted = "halted, waits for an interrupt" if values.get("HLT") == "1" else "busy"
        lines.append(f"CPU {number}: instruction pointer {place}, level {values.get('CPL', '?')}, {halted}")
    return lines
