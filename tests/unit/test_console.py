"""The judge of consoles: on captured logs of real runs, on hostile input, and re-judged from files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamkit.errors import UserError
from hamkit.prove.console import (
    HOST,
    LONGEST_LINE,
    QUOTED_LINES,
    Judge,
    Limits,
    Outcome,
    Splitter,
    State,
    judge,
    judge_lines,
    lines_of,
)
from hamkit.stage import Verdict

CAPTURED = Path(__file__).parent.parent / "data" / "console"
BOOTED = (
    "SeaBIOS (version 1.16.2)",
    "[    0.000000] Linux version 6.1.0",
    "[    3.825217] Run /init as init process",
    "[    3.900000] hamkit: init",
    "[    3.950000] hamkit: scenario",
    "[    4.000000] hamkit: step 1/2: add 0x20000000 + 128M",
)
DONE = ("[    5.000000] hamkit: done", "[    5.100000] reboot: Power down")


@pytest.mark.parametrize(
    ("log", "outcome", "state", "words"),
    [
        ("pass.log", Outcome.PASS, State.DONE, "to the end"),
        ("panic-init-exits.log", Outcome.PANIC, State.INIT, "Attempted to kill init"),
        ("panic-sysrq.log", Outcome.PANIC, State.SCENARIO, "sysrq triggered crash"),
        ("oops.log", Outcome.OOPS, State.SCENARIO, "BUG: "),
        ("silent-init.log", Outcome.SILENCE, State.INIT, "no output for"),
        ("never-prints.log", Outcome.SILENCE, State.FIRMWARE, "no output for"),
        ("killed-qemu.log", Outcome.DIED, State.KERNEL, "SIGKILL"),
        ("killed-run.log", Outcome.EARLY_END, State.KERNEL, "the log stops there"),
        (
            "corrupt-kernel.log",
            Outcome.PANIC,
            State.FIRMWARE,
            "XZ-compressed data is corrupt -- System halted",
        ),
        ("warning.log", Outcome.WARNING, State.SCENARIO, "WARNING: CPU: 0 PID: "),
        ("init-error.log", Outcome.INIT_ERROR, State.SCENARIO, "ham cannot be loaded"),
    ],
)
def test_captured_logs(log: str, outcome: Outcome, state: State, words: str) -> None:
    found = judge(CAPTURED / log)
    assert (found.outcome, found.state) == (outcome, state)
    assert words in found.detail
    assert found.verdict is (Verdict.PASS if outcome is Outcome.PASS else Verdict.FAIL)
    assert bool(found.lines) is (outcome is not Outcome.PASS)


def test_every_captured_log_is_judged() -> None:
    named = {"pass", "panic-init-exits", "panic-sysrq", "oops", "silent-init", "never-prints"}
    named |= {"killed-qemu", "killed-run", "init-error", "warning", "corrupt-kernel"}
    assert {path.stem for path in CAPTURED.glob("*.log")} == named


def test_captured_panic_quotes_the_panic_and_its_stack() -> None:
    lines = judge(CAPTURED / "panic-sysrq.log").lines
    assert "Kernel panic - not syncing: sysrq triggered crash" in lines[0]
    assert any("Call Trace:" in line for line in lines)
    assert any("sysrq_handle_crash" in line for line in lines)


def test_captured_silence_quotes_the_last_lines_and_what_qemu_knows() -> None:
    text = "\n".join(judge(CAPTURED / "silent-init.log").lines)
    assert "hamkit: init" in text
    assert "QEMU says: running" in text
    assert "CPU 0: instruction pointer ffffffff" in text
    assert "halted" in text


def test_a_run_that_went_well_names_its_last_step() -> None:
    found = judge_lines([*BOOTED, *DONE])
    assert (found.outcome, found.step) == (Outcome.PASS, "step 1/2: add 0x20000000 + 128M")


@pytest.mark.parametrize("length", range(len(BOOTED)))
def test_a_log_cut_anywhere_before_done_is_no_pass(length: int) -> None:
    found = judge_lines(BOOTED[:length])
    assert found.outcome is Outcome.EARLY_END
    assert "the log stops there" in found.detail


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("[    4.1] Kernel panic - not syncing: VFS: Unable to mount root fs", Outcome.PANIC),
        ("Kernel panic: Attempted to kill init!", Outcome.PANIC),
        (" -- System halted", Outcome.PANIC),
        ("PANIC: early exception 0x0e IP 10:ffffffff81 error 0 cr2 0x0", Outcome.PANIC),
        ("[    4.100000] BUG: kernel NULL pointer dereference, address: 0000000000000000", Outcome.OOPS),
        ("[    4.100000] kernel BUG at mm/memory_hotplug.c:1111!", Outcome.OOPS),
        ("[    4.100000][   T42] Oops: 0002 [#1] PREEMPT SMP NOPTI", Outcome.OOPS),
        ("[    4.100000] general protection fault, probably for address 0x1: 0000 [#1] SMP", Outcome.OOPS),
        ("[   44.100000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [insmod:80]", Outcome.OOPS),
        ("[  244.100000] INFO: task insmod:80 blocked for more than 120 seconds.", Outcome.OOPS),
        ("[   64.100000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", Outcome.OOPS),
        ("Unable to handle kernel NULL pointer dereference at virtual address 00000000", Outcome.OOPS),
        (" <1>Unable to handle kernel paging request at virtual address 00000000", Outcome.OOPS),
        ("invalid operand: 0000", Outcome.OOPS),
        ("general protection fault: 1234", Outcome.OOPS),
        ("kernel BUG at page_alloc.c:92!", Outcome.OOPS),
        ("NMI Watchdog detected LOCKUP on CPU1, registers:", Outcome.OOPS),
        ("<0>Kernel panic: Aiee, killing interrupt handler!", Outcome.PANIC),
        ("memory.c:100: bad pmd 0000000000000163.", Outcome.WARNING),
        ("[    4.100000] WARNING: CPU: 0 PID: 80 at mm/page_alloc.c:1 free+0x1/0x2", Outcome.WARNING),
        ("[    4.100000] WARNING: mm/page_alloc.c:5 at free+0x1/0x2, CPU#0: insmod/80", Outcome.WARNING),
        ("[    4.100000] Call Trace:", Outcome.WARNING),
        ("[    4.100000] hamkit: error: ham cannot be loaded", Outcome.INIT_ERROR),
        ("hamkit: sce[    4.100000] BUG: unable to handle page fault for address: 1", Outcome.OOPS),
    ],
)
def test_a_fault_fails_the_run_although_it_ends_well(line: str, outcome: Outcome) -> None:
    found = judge_lines([*BOOTED, line, *DONE])
    assert found.outcome is outcome
    assert line in found.lines


@pytest.mark.parametrize(
    "line",
    [
        "[    0.1] Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
        "[    0.2] WARNING: a line that no stack trace follows",
        "[    0.3] Kernel command line: console=ttyS0 panic=-1",
        "[    0.4] ACPI BIOS Warning (bug): Incorrect checksum in table",
        "[    4.5] memfill[80]: segfault at 0 ip 0000000000401000 sp 00007ffc error 6",
        "[    4.6] traps: memfill[80] general protection fault ip:401000 sp:7ffc error:0",
        "[    4.7] ham: module verification failed: signature and/or required key missing - tainting kernel",
        "hamkit: scenario and more",
    ],
)
def test_harmless_lines_do_not_fail_a_run(line: str) -> None:
    assert judge_lines([*BOOTED, line, *DONE]).outcome is Outcome.PASS


def test_a_panic_outranks_the_oops_that_led_to_it_and_both_are_quoted() -> None:
    oops = "[    4.1] BUG: kernel NULL pointer dereference, address: 0"
    panic = "[    4.3] Kernel panic - not syncing: Fatal exception"
    found = judge_lines([*BOOTED, oops, "[    4.2] Call Trace:", panic])
    assert found.outcome is Outcome.PANIC
    assert "after kernel oops: BUG: kernel NULL pointer" in found.detail
    assert found.lines == (oops, "[    4.2] Call Trace:", panic)


def test_an_oops_in_the_middle_of_a_warning_is_an_oops() -> None:
    warning = "[    4.1] WARNING: CPU: 0 PID: 1 at mm/x.c:1 f+0x1/0x2"
    assert judge_lines([*BOOTED, warning, "[    4.2] BUG: unable to handle"]).outcome is Outcome.OOPS


def test_a_stack_trace_of_an_unknown_kind_brings_the_lines_before_it() -> None:
    announced = "[    4.1] insmod: page allocation failure: order:9"
    trace = (announced, "[    4.2] CPU: 0 PID: 80 Comm: insmod", "[    4.3] Call Trace:")
    found = judge_lines([*BOOTED, *trace])
    assert "stack trace after: insmod: page allocation failure" in found.detail
    assert found.lines[-3:] == trace


def test_quotes_are_bounded() -> None:
    endless = [f"[    4.2] BUG: Bad page state {n}" for n in range(5000)]
    found = judge_lines([*BOOTED, "[    4.1] BUG: first", *endless])
    assert len(found.lines) == QUOTED_LINES
    assert found.lines[0] == "[    4.1] BUG: first"


@pytest.mark.parametrize(
    ("words", "outcome"),
    [
        ("silence: no output for 90 s", Outcome.SILENCE),
        ("timeout: not done after 900 s", Outcome.TIMEOUT),
        ("died: killed by SIGKILL", Outcome.DIED),
        ("exit: QEMU ended guest-reset", Outcome.EARLY_END),
    ],
)
def test_what_the_host_saw_decides_when_the_guest_said_nothing(words: str, outcome: Outcome) -> None:
    found = judge_lines([*BOOTED, f"{HOST}note: CPU 0: halted", HOST + words])
    assert found.outcome is outcome
    assert "scenario (step 1/2: add 0x20000000 + 128M)" in found.detail
    assert words.partition(": ")[2] in found.detail
    assert found.lines[-2:] == (BOOTED[-1], "CPU 0: halted")


def test_silence_after_a_fault_is_still_the_fault() -> None:
    found = judge_lines([*BOOTED, "[    4.1] BUG: x", f"{HOST}silence: no output for 10 s"])
    assert found.outcome is Outcome.OOPS


def test_a_machine_that_hangs_while_powering_off_does_not_pass() -> None:
    found = judge_lines([*BOOTED, DONE[0], f"{HOST}silence: no output for 30 s"])
    assert (found.outcome, found.state) == (Outcome.SILENCE, State.DONE)


def test_states_never_go_back() -> None:
    machine = Judge()
    seen = []
    for line in (*BOOTED, *DONE, "[    0.000000] Linux version 6.1.0", "[    6.0] hamkit: init"):
        machine.feed(line)
        seen.append(machine.state)
    order = list(State)
    assert [order.index(s) for s in seen] == sorted(order.index(s) for s in seen)
    assert seen[0] is State.FIRMWARE
    assert seen[-1] is State.DONE


def test_control_codes_nul_and_broken_utf8_are_no_obstacle() -> None:
    firmware = b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n\x00\x00"
    kernel = b"[    4.1] Kernel \x1b[31mpanic\x1b[0m - \xff\xfe\r\n\rlast"
    assert list(lines_of([firmware + kernel])) == ["SeaBIOS", "[    4.1] Kernel panic - \ufffd\ufffd", "last"]


def test_a_cut_last_line_is_judged(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes("\r\n".join((*BOOTED, "[    9.0] Kernel panic - not sy")).encode())
    assert judge(log).outcome is Outcome.PANIC


def test_a_guest_that_prints_no_newline_does_not_fill_memory() -> None:
    splitter = Splitter()
    for _ in range(64):
        assert all(len(line) <= LONGEST_LINE for line in splitter.feed(b"x" * LONGEST_LINE))
    assert sum(len(line) for line in splitter.close()) <= LONGEST_LINE


def test_unreadable_log_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the console log"):
        judge(tmp_path / "absent.log")


def test_every_state_has_a_limit() -> None:
    assert all(0 < Limits().silence(state) < Limits().total for state in State)


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_bytes_are_judged_the_same_however_they_are_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert list(lines_of(chunks)) == list(lines_of([whole]))
    assert judge_lines(lines_of(chunks)) == judge_lines(lines_of(bytes([b]) for b in whole))
