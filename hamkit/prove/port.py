"""The guest's second serial port as the host holds it: what the guest reports, and the bytes it waits for."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from hamkit.prove.console import Splitter

PAUSE = re.compile(r"@@ham pause (\d+)")
CHUNK = 1 << 16


class Port:
    """A connection to the port, which writes what it hears to ``log``. QEMU's own log of a socket has bytes
    twice where the socket was full for a moment."""

    def __init__(self, path: Path, log: Path) -> None:
        self._log = log.open("wb", buffering=0)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(os.fspath(path))
        self._socket.setblocking(False)
        self._splitter = Splitter()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines()  # what came since the last look
        self._socket.close()
        self._log.close()

    @property
    def files(self) -> tuple[int, ...]:
        """What to wait for; nothing once the other end is closed."""
        return (self._socket.fileno(),) if self._open else ()

    def pauses(self) -> list[int]:
        """The steps after which the guest began to wait since the last call."""
        found = [PAUSE.fullmatch(line) for line in self._lines()]
        return [int(match[1]) for match in found if match]

    def go_on(self, line: str = "\n") -> None:
        """End a pause: a serving guest is asked for what the line says (see ``plan.request``)."""
        self._socket.sendall(line.encode())

    def _lines(self) -> list[str]:
        lines: list[str] = []
        while self._open:
            try:
                chunk = self._socket.recv(CHUNK)
            except BlockingIOError:
                break
            except ConnectionResetError:
                chunk = b""
            self._log.write(chunk)
            self._open = bool(chunk)
            lines += self._splitter.feed(chunk)
        return lines
