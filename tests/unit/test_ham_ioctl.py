"""The ioctls and the status text of HAM's core on the host, under ASan and UBSan."""

from __future__ import annotations

import errno

import pytest

from .ham_driver import Drive, codes, status
from .ham_reference import RO, RW, Command

# --- Reading the text in parts -----------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 46, 47, 4096, 1 << 20])
def test_the_text_is_the_same_whatever_the_size_of_the_reads(drive: Drive, size: int) -> None:
    many: list[Command] = [("hole", 64, 80), *(("add", 32 * i, 16, RW) for i in range(200))]
    lines = drive([*many, ("status",), ("read", size)])
    texts = "\n".join(line for line in lines if not line.startswith(("rc ", "refused "))).split("\n.")
    assert len(texts[0].splitlines()) == 200
    assert "FAILED" in texts[0]
    assert texts[1].strip() == texts[0].strip()


def test_an_empty_list_has_no_text(drive: Drive) -> None:
    assert drive([("read", 16)]) == ["."]


# --- The ioctls --------------------------------------------------------------------------------

RETRY, COUNT, LIST, ADD = 0xC010C801, 0xC018C802, 0xC020C803, 0x4020C804
USER = 0x1000  # where the driver's caller has its memory


def head(size: int, version: int = 1) -> int:
    return size << 32 | version


def ioctl(drive: Drive, number: int, words: list[int], before: list[Command] | None = None) -> int:
    """What an ioctl returns for a structure of these 64-bit words."""
    memory: list[Command] = [("user", 8 * i, word) for i, word in enumerate(words)]
    return codes(drive([*(before or []), *memory, ("ioctl", number, USER)]))[-1]


@pytest.mark.parametrize(("number", "size"), [(RETRY, 16), (COUNT, 24), (LIST, 32), (ADD, 32)])
def test_heads_are_checked(drive: Drive, number: int, size: int) -> None:
    rest = [24, 0, USER] if number == LIST else [0, 16, RW]
    assert ioctl(drive, number, [head(size), *rest]) == 0 or number == ADD
    assert ioctl(drive, number, [head(size, 2), *rest]) == -errno.EINVAL
    assert ioctl(drive, number, [head(size - 1), *rest]) == -errno.EINVAL
    assert ioctl(drive, number, [head(size + 8), *rest]) == -errno.EINVAL


@pytest.mark.parametrize("number", [RETRY, COUNT, LIST, ADD])
@pytest.mark.parametrize("address", [0, USER - 8, USER + 4096 - 8, 1 << 32, (1 << 64) - 8])
def test_bad_pointers_are_a_fault(drive: Drive, number: int, address: int) -> None:
    assert codes(drive([("ioctl", number, address)])) == [-errno.EFAULT]


@pytest.mark.parametrize("number", [0xC018C805, 0xC008C802, 0x5401, 0])
def test_unknown_numbers_are_not_ours(drive: Drive, number: int) -> None:
    assert codes(drive([("ioctl", number, USER)])) == [-errno.ENOTTY]


def test_who_is_not_privileged_may_look_and_change_nothing(drive: Drive) -> None:
    nobody: list[Command] = [("privileged", 0)]
    assert ioctl(drive, RETRY, [head(16)], nobody) == -errno.EPERM
    assert ioctl(drive, ADD, [head(32), 0, 16, RW], nobody) == -errno.EPERM
    assert ioctl(drive, COUNT, [head(24)], nobody) == 0


def test_add_refuses_padding_and_adds(drive: Drive) -> None:
    assert ioctl(drive, ADD, [head(32), 0, 16, RW | 1 << 8]) == -errno.EINVAL
    assert ioctl(drive, ADD, [head(32), 0, 16, RW | 1 << 56]) == -errno.EINVAL
    memory: list[Command] = [("user", 8 * i, word) for i, word in enumerate([head(32), 32, 16, RW])]
    lines = drive([*memory, ("ioctl", ADD, USER), ("status",)])
    assert status(lines) == ["20-2f rw PRESENT"]


def test_list_fills_a_buffer_just_right_and_no_shorter_one(drive: Drive) -> None:
    ranges: list[Command] = [("add", 0, 16, RW), ("add", 32, 16, RO)]
    words = [head(32), 24 | 1 << 32, 0, USER + 64]
    memory: list[Command] = [("user", 8 * i, word) for i, word in enumerate(words)]
    look: list[Command] = [("peek", 16), ("peek", 64), ("peek", 64 + 24)]
    short = drive([*ranges, *memory, ("ioctl", LIST, USER), *look])
    assert codes(short)[-1] == -errno.ENOSPC
    assert short[-3:] == ["word 2", "word 0", "word 0"]
    enough = drive(
        [*ranges, *memory, ("user", 8, 24 | 2 << 32), ("ioctl", LIST, USER), *look, ("peek", 64 + 40)]
    )
    assert codes(enough)[-1] == 0
    assert enough[-4:] == ["word 2", "word 0", "word 20", "word 200"]


@pytest.mark.parametrize(("entry", "pad"), [(23, 0), (25, 0), (0, 0), (24, 1)])
def test_list_wants_its_own_layout(drive: Drive, entry: int, pad: int) -> None:
    assert ioctl(drive, LIST, [head(32), entry, pad << 32, USER]) == -errno.EINVAL


def test_list_into_nowhere_and_without_memory(drive: Drive) -> None:
    one: list[Command] = [("add", 0, 16, RW)]
    assert ioctl(drive, LIST, [head(32), 24 | 5 << 32, 0, 8], one) == -errno.EFAULT
    starved: list[Command] = [*one, ("failalloc", 1)]
    assert ioctl(drive, LIST, [head(32), 24 | 5 << 32, 0, USER], starved) == -errno.ENOMEM
