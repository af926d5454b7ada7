"""The guest's second serial port from the host's side: what is heard, what is written down, what is sent."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hamkit.prove.port import Port


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[socket.socket]:
    """A server like QEMU's; its accepted connection is the guest."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "report"))
        server.listen()
        yield server


def test_pauses_are_heard_once_and_ended(tmp_path: Path, guest: socket.socket) -> None:
    with Port(tmp_path / "report", tmp_path / "report.log") as port:
        end, _ = guest.accept()
        with end:
            assert port.pauses() == []
            end.sendall(b"@@ham finish 0\n@@ham pa")
            assert port.pauses() == []
            end.sendall(b"use 0\n")
            assert port.pauses() == [0]
            assert port.pauses() == []
            port.go_on()
            assert end.recv(10) == b"\n"
    assert (tmp_path / "report.log").read_bytes() == b"@@ham finish 0\n@@ham pause 0\n"


def test_what_came_after_the_last_look_is_written_down(tmp_path: Path, guest: socket.socket) -> None:
    with Port(tmp_path / "report", tmp_path / "report.log") as port:
        end, _ = guest.accept()
        end.sendall(b"@@ham done\n")
        end.close()
        assert port.files
    assert (tmp_path / "report.log").read_bytes() == b"@@ham done\n"


def test_a_closed_port_is_not_waited_for(tmp_path: Path, guest: socket.socket) -> None:
    with Port(tmp_path / "report", tmp_path / "report.log") as port:
        end, _ = guest.accept()
        end.close()
        assert port.pauses() == []
        assert port.files == ()
