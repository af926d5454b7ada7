"""Judges a guest's console: a state machine fed line by line, live or from any old log.

States follow the milestones that the kernel and the guest's init print. What only the
host can know (silence, time out, how QEMU ended) is appended to the log by the host as
``hamkit-host:`` lines, so that the file alone always gives the same verdict again.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from hamkit.errors import UserError
from hamkit.stage import Verdict

HOST = "hamkit-host: "
CHUNK = 1 << 16
LARGEST = 64 << 20  # bytes of a log that are judged: far more than any run writes; a device has no end
LONGEST_LINE = 1 << 13  # characters; a guest that prints no newline must not fill our memory
QUOTED_LINES = 40
CONTEXT_LINES = 5
MOST_FAULTS = 8


class State(StrEnum):
    """How far the guest has come."""

    FIRMWARE = "firmware"  # and the kernel's own decompression, which is silent
    KERNEL = "kernel"
    INIT = "init"
    SCENARIO = "scenario"
    DONE = "done"


class Outcome(StrEnum):
    """What became of a run, the worst first."""

    PANIC = "kernel panic"
    OOPS = "kernel oops"
    WARNING = "kernel warning"
    INIT_ERROR = "init error"
    SILENCE = "silence"
    TIMEOUT = "timeout"
    DIED = "QEMU died"
    EARLY_END = "early end"
    PASS = "pass"  # noqa: S105 - an outcome, not a password


RANK = {outcome: number for number, outcome in enumerate(Outcome)}
ENDINGS = {"silence": Outcome.SILENCE, "timeout": Outcome.TIMEOUT, "died": Outcome.DIED}


@dataclass(frozen=True)
class Limits:
    """Seconds without output that each state may take, and the whole run, sized for software emulation.

    ``firmware`` holds the decompression of the kernel: about 6 s of silence on an idle machine.
    ``after_fault`` replaces the limit of the state once the kernel has reported a fault.
    """

    firmware: float = 180.0
    kernel: float = 90.0
    init: float = 60.0
    scenario: float = 180.0
    done: float = 30.0
    after_fault: float = 10.0
    total: float = 900.0

    def silence(self, state: State) -> float:
        return {
            State.FIRMWARE: self.firmware,
            State.KERNEL: self.kernel,
            State.INIT: self.init,
            State.SCENARIO: self.scenario,
            State.DONE: self.done,
        }[state]


@dataclass(frozen=True)
class ConsoleVerdict:
    """The judgement: a sentence (``detail``) and the offending lines, quoted without control codes.

    ``step`` is the scenario step that the guest was in, as its init announced it.
    """

    outcome: Outcome
    state: State
    detail: str
    lines: tuple[str, ...] = ()
    step: str = ""

    @property
    def verdict(self) -> Verdict:
        return Verdict.PASS if self.outcome is Outcome.PASS else Verdict.FAIL


@dataclass
class Fault:
    """One thing that the kernel or init complained of, with the lines that belong to it."""

    outcome: Outcome
    title: str
    lines: list[str]
    state: State
    step: str


CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # ANSI: cursor and colour
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles
    r"|\x1b[ -/]*[0-~]"  # other escapes: reset, character sets
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
STAMP = re.compile(r".*\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")  # the last one: lines of two writers may mix
PANIC = re.compile(r"Kernel panic\b.*|PANIC: .*| ?-- System halted")
OOPS = re.compile(
    r"BUG: |kernel BUG at |Oops: |watchdog: BUG: |Unable to handle kernel |Internal error: "
    r"|NMI Watchdog detected LOCKUP|double fault, "  # these and the next are 2.4's
    r"|(?:general protection fault|divide error|invalid operand|invalid TSS|segment not present"
    r"|stack segment|double fault|int3|overflow|bounds|coprocessor \w+ ?\w*|alignment check): [0-9a-f]{4}\b"
    r"|INFO: task .* blocked for more than|(?:rcu: )?INFO: rcu\w* .*stall"
    r"|(?:general protection fault|divide error|invalid opcode|stack segment|double fault|int3)\b.*\[#\d+\]"
)
WARNING = re.compile(
    r"WARNING: (?:CPU: \d+ |\S+:\d+ at )"
    r"|\w+\.c:\d+: bad p[gmt]d |[Bb]ad.page.state|slab error in |Trying to v?free.* nonexistent"
)
TRACE = re.compile(r"Call Trace:|Call trace:")
DETAIL = re.compile(r"CPU: \d+|Hardware name: |Workqueue: ")  # stands between an announcement and its trace
BLOCK_END = re.compile(r"---\[ end ")
MILESTONE = re.compile(r"hamkit: (?:(init|scenario|done)$|(step|error):? (.*))")
FIRST_PROCESS = re.compile(r"Run \S+ as init process|Freeing unused kernel memory: \d+k freed")
LEVEL = re.compile(r".*<[0-7]>")  # 2.4 prints it where a message begins in the middle of a line


def lines_of(chunks: Iterable[bytes]) -> Iterator[str]:
    """Text lines of a raw console, lazily: no control codes, no empty lines, the last one perhaps cut.

    CR, LF and both end a line; bytes that are not UTF-8 become U+FFFD.
    """
    splitter = Splitter()
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.close()


class Splitter:
    """Cuts a stream of bytes into clean lines; keeps an unfinished line until it is whole."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[str]:
        *whole, self._rest = re.split(rb"[\r\n]+", self._rest + chunk)
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        yield from self._clean(whole)

    def close(self) -> Iterator[str]:
        yield from self._clean([self._rest])
        self._rest = b""

    @staticmethod
    def _clean(raw: Iterable[bytes]) -> Iterator[str]:
        for line in raw:
            text = CONTROL.sub("", line[:LONGEST_LINE].decode(errors="replace")).rstrip()
            if text:
                yield text


class Judge:
    """The state machine. Feed it lines in order; ask for the verdict at any time."""

    def __init__(self) -> None:
        self.state = State.FIRMWARE
        self.step = ""
        self.last_line = ""
        self._faults: list[Fault] = []
        self._open: Fault | None = None
        self._recent: deque[str] = deque(maxlen=CONTEXT_LINES)
        self._ending: tuple[str, str] = ("", "")
        self._notes: list[str] = []

    @property
    def faulted(self) -> bool:
        """Whether the run has failed already, whatever it prints from here on."""
        return bool(self._faults)

    def feed(self, line: str) -> None:
        """Take one clean line."""
        if line.startswith(HOST):
            self._host(line.removeprefix(HOST))
            return
        self.last_line = line
        message = _message(line)
        self._advance(line, message)
        self._look_for_fault(line, message)
        self._recent.append(line)

    def verdict(self) -> ConsoleVerdict:
        """The judgement on all lines so far."""
        if self._faults:
            return self._of_faults()
        kind, words = self._ending
        where = _where(self.state, self.step)
        if kind in ENDINGS:
            detail = f"{ENDINGS[kind]} in state {where}: {words}"
            return self._verdict(ENDINGS[kind], detail, (*self._recent, *self._notes))
        if self.state is State.DONE:
            return self._verdict(Outcome.PASS, "the guest ran its scenario to the end", ())
        how = words or "the log stops there"
        detail = f"the run ended in state {where}: {how}"
        return self._verdict(Outcome.EARLY_END, detail, (*self._recent, *self._notes))

    def _verdict(self, outcome: Outcome, detail: str, lines: Iterable[str]) -> ConsoleVerdict:
        return ConsoleVerdict(outcome, self.state, detail, tuple(lines), self.step)

    def _of_faults(self) -> ConsoleVerdict:
        first = self._faults[0]
        worst = min(self._faults, key=lambda f: RANK[f.outcome])
        lines = first.lines if worst is first else [*first.lines, *worst.lines]
        before = "" if worst is first else f", after {first.outcome}: {first.title}"
        detail = f"{worst.outcome} in state {_where(worst.state, worst.step)}: {worst.title}{before}"
        return ConsoleVerdict(worst.outcome, worst.state, detail, (*lines, *self._notes), worst.step)

    def _host(self, words: str) -> None:
        kind, _, rest = words.partition(": ")
        if kind == "note":
            self._notes.append(rest)
        else:
            self._ending = (kind, rest)

    def _advance(self, line: str, message: str) -> None:
        if self.state is State.FIRMWARE and (STAMP.match(line) or message.startswith("Linux version ")):
            self.state = State.KERNEL
        if self.state is State.KERNEL and FIRST_PROCESS.match(message):
            self.state = State.INIT
        if found := MILESTONE.match(message):
            name, kind, words = found.groups()
            if kind == "error":
                self._begin(Outcome.INIT_ERROR, words, [line])
                self._open = None
            elif kind == "step":
                self.step = f"step {words}"
            else:
                self.state = max(self.state, State(name), key=list(State).index)

    def _look_for_fault(self, line: str, message: str) -> None:
        if BLOCK_END.search(message):
            self._continue(line)
            self._open = None
        elif panic := PANIC.search(message):
            self._begin(Outcome.PANIC, self._title_of(panic[0]), [line])
        elif OOPS.match(message) and not self._inside(Outcome.OOPS, Outcome.PANIC):
            self._begin(Outcome.OOPS, message, [line])
        elif self._open is not None:
            self._continue(line)
        elif WARNING.match(message):
            self._begin(Outcome.WARNING, message, [line])
        elif TRACE.match(message):
            self._begin(Outcome.WARNING, self._announcement(), [*self._recent, line])

    def _announcement(self) -> str:
        """What led to a stack trace of a kind we do not know: allocation failure, UBSAN, sysfs, lockdep..."""
        earlier = (_message(line) for line in reversed(self._recent))
        told = next((message for message in earlier if not DETAIL.match(message)), "nothing")
        return f"stack trace after: {told}"

    def _inside(self, *outcomes: Outcome) -> bool:
        return self._open is not None and self._open.outcome in outcomes

    def _title_of(self, panic: str) -> str:
        """The kernel's decompressor says what is wrong on a line of its own, then that it halts."""
        halted = panic.endswith("System halted") and self._recent
        return f"{self._recent[-1]}{panic}" if halted else panic

    def _begin(self, outcome: Outcome, title: str, lines: list[str]) -> None:
        self._open = Fault(outcome, title, lines, self.state, self.step)
        known = {f.outcome for f in self._faults}
        if len(self._faults) < MOST_FAULTS or outcome not in known:
            self._faults.append(self._open)

    def _continue(self, line: str) -> None:
        if self._open is None:
            return
        self._open.lines.append(line)
        if len(self._open.lines) >= QUOTED_LINES:
            self._open = None


def _where(state: State, step: str) -> str:
    return f"{state} ({step})" if step and state is State.SCENARIO else state


def _message(line: str) -> str:
    return LEVEL.sub("", STAMP.sub("", line, count=1), count=1)


def judge_lines(lines: Iterable[str]) -> ConsoleVerdict:
    """Judge clean lines (see ``lines_of``)."""
    judge = Judge()
    for line in lines:
        judge.feed(line)
    return judge.verdict()


def judge(path: Path) -> ConsoleVerdict:
    """Judge a console log again; a cut-off log of a killed run too, ``LARGEST`` bytes of it at most.

    Raises UserError when unreadable.
    """
    try:
        with path.open("rb") as stream:
            chunks = iter(lambda: stream.read(CHUNK), b"")
            return judge_lines(lines_of(islice(chunks, LARGEST // CHUNK)))
    except OSError as bad:
        raise UserError(
            f"cannot read the console log {path}: {bad.strerror}", "give the log of a run"
        ) from bad
