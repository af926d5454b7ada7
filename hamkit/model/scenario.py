"""What one guest run does, as values. Sizes and addresses in bytes.

``hamkit.scenarios`` reads them from TOML; the model and the comparison only see these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import ClassVar

from hamkit.model.extents import MIB
from hamkit.model.i386 import Kernel


class Errno(IntEnum):
    """Results of a step by name, numbered as in Linux on x86. OK is success."""

    OK = 0
    EPERM = 1
    EIO = 5
    E2BIG = 7
    EAGAIN = 11
    ENOMEM = 12
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    EINVAL = 22
    ENOTTY = 25
    ENOSPC = 28
    EROFS = 30
    EOPNOTSUPP = 95

    @property
    def word(self) -> str:
        """The spelling of scenarios: ``ok`` or the errno's name."""
        return "ok" if self is Errno.OK else self.name

    @classmethod
    def parse(cls, word: str) -> Errno:
        """From a scenario's spelling. Raises ValueError for any other word."""
        for member in cls:
            if member.word == word:
                return member
        raise ValueError(f"neither ok nor a known errno: {word!r}")


class Attribute(StrEnum):
    """Of a range: writable or read-only, as /proc/ham/status prints it."""

    RW = "rw"
    RO = "ro"


class Line(StrEnum):
    """A kernel line."""

    MAINLINE = "mainline"
    LINUX24 = "2.4"


@dataclass(frozen=True)
class Machine:
    """The emulated machine. ``boot_memory`` is ``mem=``: the address from which the kernel ignores RAM.

    ``low_memory``: so much RAM lies below 4 GiB at most, the rest above, with a hole between; None: as the
    board has it. ``swap``: bytes of a disk to swap to, which the 2.4 line's machine has as /dev/hda.
    """

    memory: int
    boot_memory: int
    cpus: int = 1
    low_memory: int | None = None
    swap: int = 0


@dataclass(frozen=True)
class AddStep:
    """An MHP driver reports the range ``start``, ``size`` to HAM."""

    action: ClassVar[str] = "add"
    start: int
    size: int
    attr: Attribute = Attribute.RW
    expect: Errno = Errno.OK

    @property
    def label(self) -> str:
        return f"add {self.start:#x} + {size_text(self.size)}{'' if self.attr is Attribute.RW else ' ro'}"


@dataclass(frozen=True)
class UseStep:
    """A program fills and verifies ``size`` bytes of anonymous memory."""

    action: ClassVar[str] = "use"
    size: int

    @property
    def expect(self) -> Errno:
        return Errno.OK

    @property
    def label(self) -> str:
        return f"use {size_text(self.size)}"


@dataclass(frozen=True)
class RetryStep:
    """HAM is asked to try its FAILED ranges again."""

    action: ClassVar[str] = "retry"
    expect: Errno = Errno.OK

    @property
    def label(self) -> str:
        return "retry"


@dataclass(frozen=True)
class FaultStep:
    """A test build of HAM is told to let the VM fail for so many integrations to come."""

    action: ClassVar[str] = "fault"
    count: int

    @property
    def expect(self) -> Errno:
        return Errno.OK

    @property
    def label(self) -> str:
        return f"fault {self.count}"


@dataclass(frozen=True)
class AbuseStep:
    """A program misuses /dev/ham in every way it knows; nothing may come of it."""

    action: ClassVar[str] = "abuse"

    @property
    def expect(self) -> Errno:
        return Errno.OK

    @property
    def label(self) -> str:
        return "abuse"


@dataclass(frozen=True)
class RunStep:
    """One of our programs is run; ``words`` are its name and arguments. It must end well."""

    action: ClassVar[str] = "run"
    words: tuple[str, ...]

    @property
    def expect(self) -> Errno:
        return Errno.OK

    @property
    def label(self) -> str:
        return " ".join(self.words)


Step = AddStep | UseStep | RetryStep | FaultStep | AbuseStep | RunStep


@dataclass(frozen=True)
class Scenario:
    """A machine and the steps in it. Step numbers count from 1; 0 is the state after boot.

    ``kernel`` is how the kernel of the 2.4 line is built and started; the other line's come as they are.
    """

    name: str
    machine: Machine
    steps: tuple[Step, ...] = field(default=())
    description: str = ""
    lines: tuple[Line, ...] = (Line.MAINLINE,)
    kernel: Kernel = field(default_factory=Kernel)

    @property
    def limit(self) -> int | None:
        """The value of ``mem=`` on the 2.4 line, whose option may throw the firmware's map away: none for
        a machine whose kernel is to know all of its memory."""
        machine = self.machine
        return None if machine.boot_memory >= machine.memory else machine.boot_memory


def size_text(size: int) -> str:
    """A size as scenarios spell it: in MiB when it is a whole number of them, else in bytes."""
    return f"{size // MIB}M" if size and size % MIB == 0 else str(size)
