"""Boots a kernel in QEMU, lets its guest run a scenario, and judges the console."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from hamkit.errors import UserError
from hamkit.files import sha256_file, sha256_text, write_whole
from hamkit.model.scenario import Scenario, UseStep
from hamkit.progress import Progress, Step
from hamkit.prove import guest
from hamkit.prove.console import HOST, ConsoleVerdict, Judge, Limits, Splitter
from hamkit.prove.globals24 import NOTHING, Seen
from hamkit.prove.qemu import Machine, Session, Startable, session
from hamkit.run import paste
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

TICK = 0.05  # seconds between looks at the console
UNFINISHED_SECONDS = 2.0  # then a line without an end is judged as it stands: a prompt, or a last word
QUOTED_MESSAGES = 5
REPORT_END = "@@ham done"
OUTSIDE = ("host-signal", "host-qmp-quit", "host-error", "host-ui")
SECONDS_PER_GIB = 30.0  # a program that fills memory says nothing meanwhile
OPTIONS = (
    "console=ttyS0",
    "earlyprintk=ttyS0",  # what the kernel says before its console is up
    "panic=-1",  # reset at once, which ends QEMU
    "printk.devkmsg=on",  # init logs without a rate limit
    "nokaslr",  # an instruction pointer means something
    *("nowatchdog", "rcupdate.rcu_cpu_stall_suppress=1"),  # they take a busy host for a hung guest
    # what costs much under emulation, and has no bearing on memory hot-add
    *("mitigations=off", "init_on_alloc=0", "cryptomgr.notests", "rcupdate.rcu_expedited=1"),
)


@dataclass(frozen=True)
class BootRequest:
    """What to boot. ``files`` maps a path in the guest to content (see ``guest.image``).

    ``out`` gets console.log, report.log, qemu.log, argv.txt and initramfs.cpio; ``append`` is added
    to the kernel's command line.
    """

    kernel: Path
    release: str
    files: Mapping[str, bytes]
    scenario: Scenario
    out: Path
    limits: Limits = field(default_factory=Limits)
    append: str = ""


@dataclass(frozen=True)
class BootResult:
    """What came of it. ``report`` is the guest's report with plain newlines, perhaps cut short.

    ``timeline``: seconds from the start of QEMU at which each state was first seen. ``seen``: what was read
    of the guest's memory from outside, where that is done.
    """

    stage: StageResult
    console: ConsoleVerdict
    console_log: Path
    report: str
    argv: tuple[str, ...]
    timeline: Mapping[str, float]
    seen: Seen = NOTHING


def boot(request: BootRequest, progress: Progress) -> BootResult:
    """Build the guest, run it, judge it. What went wrong in the guest is a verdict, not an exception.

    Raises UserError (no kernel), Failure (the packages lack something), MissingNeed (no QEMU).
    """
    watch = Stopwatch()
    if not request.kernel.is_file():
        raise UserError(f"there is no kernel image {request.kernel}", "give the path of a bzImage")
    image = guest.image(request.release, request.files, request.scenario)
    machine = describe_machine(request)
    write_whole(machine.initramfs, image)
    for path in (machine.console, machine.report):  # what an earlier run left there is not this run's
        write_whole(path, b"")
    with progress.step(f"boot {request.release}") as step:
        run = Run(machine, limits_for(request.scenario, request.limits), step)
        run.go(request.out)
    inputs = {"kernel": sha256_file(request.kernel), "initramfs": sha256_file(machine.initramfs)}
    return boot_result(request.release, request.scenario, machine, run, watch, inputs)


def boot_result(
    release: str,
    scenario: Scenario,
    machine: Startable,
    run: Run,
    watch: Stopwatch,
    inputs: Mapping[str, str],
    seen: Seen = NOTHING,
) -> BootResult:
    """What became of a run that ended: the verdict, and its evidence."""
    console = run.judge.verdict()
    report = _read_report(machine.report)
    verdict, detail = _stage_verdict(console, report)
    stage = StageResult(
        "boot",
        verdict,
        watch.seconds,
        detail,
        inputs={**inputs, "scenario": sha256_text(repr(scenario))},
        outputs=tuple(Artifact.of(path) for path in (machine.console, machine.report)),
        facts={
            "release": release,
            "outcome": console.outcome.value,
            "state": console.state.value,
            "lines": list(console.lines),
            "timeline": run.timeline,
            "argv": list(run.argv),
            **(seen.facts() if seen.counters else {}),
        },
    )
    return BootResult(stage, console, machine.console, report, run.argv, run.timeline, seen)


def describe_machine(request: BootRequest) -> Machine:
    """The machine that ``boot`` starts; nothing is written yet."""
    return Machine(
        kernel=request.kernel,
        initramfs=request.out / "initramfs.cpio",
        append=command_line(request),
        memory=request.scenario.machine.memory,
        console=request.out / "console.log",
        report=request.out / "report.log",
        cpus=request.scenario.machine.cpus,
        low_memory=request.scenario.machine.low_memory or 0,
    )


def command_line(request: BootRequest) -> str:
    """The kernel's command line."""
    return " ".join(word for word in (*OPTIONS, hidden_memory(request.scenario), request.append) if word)


def hidden_memory(scenario: Scenario) -> str:
    """The kernel option that hides the memory that is to be added later."""
    return f"mem={scenario.machine.boot_memory // 1024}K"


class Visitor(Protocol):
    """Who looks at a machine while it runs."""

    @property
    def files(self) -> tuple[int, ...]:
        """Files that tell, by being readable, that there is something to look at."""

    def look(self) -> bool:
        """Look; whether there was something."""


Visits = Callable[[Session], AbstractContextManager[Visitor | None]]


def nobody(_: Session) -> AbstractContextManager[None]:
    """Visits of nobody."""
    return nullcontext()


class Run:
    """One run of a machine, watched from start to end, and visited if wanted."""

    def __init__(self, machine: Startable, limits: Limits, step: Step, visits: Visits = nobody) -> None:
        self.judge = Judge()
        self.timeline: dict[str, float] = {}
        self.argv: tuple[str, ...] = ()
        self._machine, self._limits, self._step, self._visits = machine, limits, step, visits
        self._heard = self._begin = time.monotonic()

    def go(self, out: Path) -> None:
        """Run to the end, or to the first limit; the host's words are appended to the console log."""
        messages = out / "qemu.log"
        with Tail(self._machine.console) as tail, session(self._machine, messages) as running:
            self.argv = running.argv
            write_whole(out / "argv.txt", paste(self.argv) + "\n")
            with self._visits(running) as visitor:
                ending = self._watch(running, tail, visitor)
            notes = running.describe() if ending else ()
            ending = ending or _how_it_ended(running, messages)
        words = [*(f"{HOST}note: {note}" for note in notes), HOST + ending]
        with self._machine.console.open("a", encoding="utf-8") as log:
            log.write("\n" + "".join(f"{line}\n" for line in words))
        self._feed(words)

    def _watch(self, running: Session, tail: Tail, visitor: Visitor | None) -> str:
        """Follow the console; why the host has to end the run, or nothing when QEMU ended by itself."""
        self._heard = self._begin = time.monotonic()
        self._note_state()
        ended, late = False, ""
        while not (ended or late):
            ended = running.wait(TICK, *(visitor.files if visitor else ()))
            seen = visitor.look() if visitor and not ended else False
            lines = tail.read()
            if tail.grew or seen:
                self._heard = time.monotonic()
            self._feed(lines)
            if time.monotonic() - self._heard > UNFINISHED_SECONDS:
                self._feed(tail.close())
            late = "" if ended else self._late()
        self._feed(tail.close())
        return late

    def _feed(self, lines: Iterable[str]) -> None:
        for line in lines:
            before = self.judge.state
            self.judge.feed(line)
            if self.judge.state is not before:
                self._note_state()
            self._step.note(f"{self.judge.state}: {self.judge.last_line}")

    def _note_state(self) -> None:
        self.timeline[self.judge.state.value] = round(time.monotonic() - self._begin, 3)

    def _late(self) -> str:
        now, limits = time.monotonic(), self._limits
        quiet = limits.after_fault if self.judge.faulted else limits.silence(self.judge.state)
        if now - self._heard > quiet:
            return f"silence: no output for {quiet:g} s"
        if now - self._begin > limits.total:
            return f"timeout: not done after {limits.total:g} s"
        return ""


class Tail:
    """Reads what is added to a growing file, as clean lines."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb")
        self._splitter = Splitter()
        self.grew = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, bad: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def read(self) -> list[str]:
        """The lines that were finished since the last call; ``grew`` tells of unfinished ones too."""
        chunk = self._stream.read()
        self.grew = bool(chunk)
        return list(self._splitter.feed(chunk))

    def close(self) -> list[str]:
        """The unfinished last line, if any."""
        return list(self._splitter.close())


def _how_it_ended(running: Session, messages: Path) -> str:
    status, reason = running.returncode, running.shutdown_reason()
    said = "; ".join(messages.read_text(errors="replace").splitlines()[-QUOTED_MESSAGES:])
    said = f": {said}" if said else ""
    if status is not None and status < 0:
        return f"died: killed by {signal.Signals(-status).name}{said}"
    if status or reason in OUTSIDE:
        return f"died: status {status} {reason}".rstrip() + said
    return f"exit: QEMU ended {reason}".rstrip()


def limits_for(scenario: Scenario, limits: Limits) -> Limits:
    """The limits, with time for the memory that the scenario's programs fill in silence."""
    used = max((s.size for s in scenario.steps if isinstance(s, UseStep)), default=0)
    more = SECONDS_PER_GIB * used / (1 << 30)
    return replace(limits, scenario=limits.scenario + more, total=limits.total + more)


def _read_report(path: Path) -> str:
    return path.read_bytes().decode(errors="replace").replace("\r\n", "\n")


def _stage_verdict(console: ConsoleVerdict, report: str) -> tuple[Verdict, str]:
    if console.verdict is Verdict.PASS and report.splitlines()[-1:] != [REPORT_END]:
        return Verdict.FAIL, "the console tells of a whole run, but the guest's report is cut short"
    return console.verdict, console.detail
