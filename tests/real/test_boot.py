"""Boots of Debian 12's kernel in QEMU, good and bad: each must end, be judged, and leave nothing behind.

What goes wrong is put into the guest in the place of a program or file that our packages
install, so that kernel, init and host are the real ones.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit.courses.distribution import Pipeline
from hamkit.errors import UserError
from hamkit.model.scenario import AbuseStep, AddStep, Machine, Scenario, UseStep
from hamkit.progress import Quiet
from hamkit.prove.bench import boot_ratio
from hamkit.prove.boot import BootRequest, boot
from hamkit.prove.console import Limits, Outcome, State, judge
from hamkit.prove.report import parse_report
from hamkit.run import find
from hamkit.stage import Verdict

pytestmark = [pytest.mark.qemu, pytest.mark.engine]

ABUSE = "/usr/libexec/ham/hamabuse"
SHORT = Scenario("short", Machine(1 << 30, 1 << 28), (AddStep(0x10000000, 1 << 27), UseStep(1 << 24)))
ONLY_RUN = replace(SHORT, steps=(AbuseStep(),))
PATIENCE = 120.0  # seconds for something to appear on a busy machine


@pytest.fixture
def request12(debian12: Pipeline, tmp_path: Path) -> BootRequest:
    return replace(debian12.boot_request, scenario=SHORT, out=tmp_path / "boot, and all")


def script(commands: str) -> bytes:
    return f"#!/bin/busybox sh\n{commands}\n".encode()


def spoilt(request: BootRequest, path: str, content: bytes) -> BootRequest:
    busybox = find("busybox", "busybox-static").read_bytes()
    more = {"/bin/busybox": busybox, path: content}
    return replace(request, files={**request.files, **more}, scenario=ONLY_RUN)


def until(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def machines(out: Path) -> list[int]:
    """Processes of QEMU that write into ``out``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"qemu-system" in command and os.fspath(out).replace(",", ",,").encode() in command:
            found.append(int(process.name))
    return found


def test_scenario_runs_to_its_end_and_is_reported(request12: BootRequest) -> None:
    result = boot(request12, Quiet())
    assert (result.console.outcome, result.console.state) == (Outcome.PASS, State.DONE)
    assert result.stage.verdict is Verdict.PASS
    boot_, added, used = parse_report(result.report)
    assert (boot_.rc, added.rc, used.rc) == (0, 0, 0)
    assert added.meminfo["MemTotal"] - boot_.meminfo["MemTotal"] == (1 << 27) // 1024
    assert added.status == ("0000000010000000-0000000017ffffff  rw ENABLED",)
    assert any("mhp_sim: 0000000010000000-0000000017ffffff rw: 0" in line for line in added.dmesg)
    assert any("0 bad pages" in line for line in used.output)
    assert list(result.timeline) == [state.value for state in State]
    assert judge(result.console_log) == result.console
    assert {"console.log", "report.log", "qemu.log", "argv.txt", "initramfs.cpio"} <= {
        path.name for path in request12.out.iterdir()
    }
    assert "BIOS-e820" in result.console_log.read_text(errors="replace")


def test_panic_is_quoted(request12: BootRequest) -> None:
    result = boot(spoilt(request12, ABUSE, script("echo c >/proc/sysrq-trigger")), Quiet())
    assert (result.console.outcome, result.console.state) == (Outcome.PANIC, State.SCENARIO)
    assert result.stage.verdict is Verdict.FAIL
    assert "sysrq triggered crash" in result.stage.detail
    assert result.console.step == "step 1/1: abuse"
    assert result.report.startswith("@@ham begin 0\n")


def test_init_that_ends_is_a_panic(request12: BootRequest) -> None:
    result = boot(spoilt(request12, "/init", script("exit 3")), Quiet())
    assert result.console.outcome is Outcome.PANIC
    assert "Attempted to kill init! exitcode=0x00000300" in result.stage.detail


def test_init_names_what_it_could_not_do(request12: BootRequest) -> None:
    module = next(path for path in request12.files if path.endswith("/ham.ko"))
    result = boot(spoilt(request12, module, b"\x7fELF no module"), Quiet())
    assert result.console.outcome is Outcome.INIT_ERROR
    assert "ham cannot be loaded" in result.stage.detail


def test_silence_is_told_with_what_qemu_knows(request12: BootRequest) -> None:
    hanging = spoilt(request12, ABUSE, script("/bin/busybox sleep 9999"))
    result = boot(replace(hanging, limits=Limits(scenario=5)), Quiet())
    assert (result.console.outcome, result.console.state) == (Outcome.SILENCE, State.SCENARIO)
    assert "step 1/1: abuse" in result.stage.detail
    text = "\n".join(result.console.lines)
    assert "QEMU says: running" in text
    assert "CPU 0: instruction pointer ffffffff" in text
    assert judge(result.console_log) == result.console
    assert machines(request12.out) == []


def test_guest_that_talks_for_ever_is_timed_out(request12: BootRequest) -> None:
    talking = spoilt(
        request12, ABUSE, script("while :; do echo still >/dev/kmsg; /bin/busybox sleep 1; done")
    )
    result = boot(replace(talking, limits=Limits(total=25)), Quiet())
    assert result.console.outcome is Outcome.TIMEOUT
    assert "not done after 25" in result.stage.detail


def test_kernel_that_is_none_is_silent_in_the_firmware(request12: BootRequest, tmp_path: Path) -> None:
    image = bytearray(request12.kernel.read_bytes())
    entry = (image[0x1F1] + 1) * 512  # the protected-mode code follows the setup sectors
    for at in (entry, entry + 0x200):  # its 32-bit and 64-bit entries: jump to itself
        image[at : at + 2] = b"\xeb\xfe"
    (tmp_path / "looping").write_bytes(image)
    request = replace(request12, kernel=tmp_path / "looping", limits=Limits(firmware=5))
    result = boot(request, Quiet())
    assert (result.console.outcome, result.console.state) == (Outcome.SILENCE, State.FIRMWARE)
    assert any("busy" in line for line in result.console.lines)


def test_what_qemu_refuses_is_quoted(request12: BootRequest, tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_bytes(b"no kernel")
    result = boot(replace(request12, kernel=tmp_path / "nonsense"), Quiet())
    assert result.console.outcome is Outcome.DIED
    assert "status 1" in result.stage.detail
    assert "qemu: linux kernel too old" in result.stage.detail


def test_kernel_that_does_not_exist_is_the_users_mistake(request12: BootRequest, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no kernel image"):
        boot(replace(request12, kernel=tmp_path / "absent"), Quiet())


def test_killed_qemu_is_told_apart(request12: BootRequest) -> None:
    victim = multiprocessing.get_context("fork").Process(target=_kill_when_booting, args=(request12.out,))
    victim.start()
    result = boot(request12, Quiet())
    victim.join()
    assert (result.console.outcome, result.console.state) == (Outcome.DIED, State.KERNEL)
    assert "SIGKILL" in result.stage.detail


def test_killed_hamkit_leaves_no_qemu_and_a_log_that_can_be_judged(request12: BootRequest) -> None:
    child = multiprocessing.get_context("fork").Process(target=boot, args=(request12, Quiet()))
    child.start()
    assert until(lambda: _booting(request12.out))
    assert len(machines(request12.out)) == 1
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert until(lambda: machines(request12.out) == [])
    found = judge(request12.out / "console.log")
    assert (found.outcome, found.state) == (Outcome.EARLY_END, State.KERNEL)
    again = boot(request12, Quiet())
    assert again.console.outcome is Outcome.PASS


def test_boot_ratio_measures_each_way_in_every_round(request12: BootRequest) -> None:
    found = boot_ratio(request12, 1, Quiet())
    assert [len(found.plain), len(found.alike), len(found.stage)] == [1, 1, 1]
    assert found.to_plain == found.stage[0].wall / found.plain[0].wall
    assert found.to_alike == found.stage[0].wall / found.alike[0].wall
    assert found.cpu_to_plain == found.stage[0].cpu / found.plain[0].cpu
    assert all(cost.cpu > 0 for cost in (*found.plain, *found.alike, *found.stage))
    assert "reboot: Power down" in (request12.out / "bare" / "console.log").read_text(errors="replace")


def _booting(out: Path) -> bool:
    log = out / "console.log"
    return log.exists() and b"Linux version" in log.read_bytes()


def _kill_when_booting(out: Path) -> None:
    until(lambda: _booting(out))
    for process in machines(out):
        os.kill(process, signal.SIGKILL)
