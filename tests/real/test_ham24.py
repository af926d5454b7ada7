"""HAM and the MHP drivers on Linux 2.4: loading, adding, failing, misuse, and DIMMs plugged in."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.build.kernel24.modules import ModulesRequest, build_modules
from hamkit.build.kernel24.toolchain import find_toolchain
from hamkit.courses.distribution import Pipeline
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.model.scenario import Line
from hamkit.progress import Quiet
from hamkit.prove.boot import boot
from hamkit.prove.frames import frames
from hamkit.prove.port import Port
from hamkit.prove.qemu import Session
from hamkit.stage import Verdict

from . import guest24
from .guest24 import MIB, Built, Said

pytestmark = [pytest.mark.kernels24, pytest.mark.qemu]

WHOLE = {"2.4.13 up": ("linux-2.4.13", "up", False), "2.4.13 smp": ("linux-2.4.13", "smp", True)}
CUT_DOWN = {
    "2.4.2": ("linux-2.4.2", "up", False),
    "2.4.20 versions": ("linux-2.4.20", "up", True),
    "2.4.31 smp": ("linux-2.4.31", "smp", False),
}
STATUS = "/proc/ham/status"
SLAB = re.compile(r"^(size-\d+)(?:\(DMA\))?\s+(\d+)", re.MULTILINE)


@pytest.fixture(scope="module", params=WHOLE)
def built(request: pytest.FixtureRequest) -> Built:
    return guest24.build(*WHOLE[request.param])


@pytest.fixture(scope="module", params=CUT_DOWN)
def cut_down(request: pytest.FixtureRequest) -> Built:
    return guest24.build(*CUT_DOWN[request.param])


def cpus(built: Built) -> int:
    return 2 if "CONFIG_SMP=y" in built.kernel.config.read_text() else 1


def obey(built: Built, script: str, work: Path, **more: int) -> Said:
    text = script.replace("DRIVERS", built.drivers)
    return guest24.obey(built, text, work, None, cpus=cpus(built), **more)


BASICS = """
modprobe ham
hamctl status
hamctl add 0x10000000 128M
hamctl add 0x30000000 256M
hamctl status
insmod DRIVERS/mhp_sim.o ranges=0x40000000+128M,0x10000000+640M,0x61080000+128M,0x80000000+256M:ro
hamctl status
hamctl count
rmmod mhp_sim
rmmod ham
hamctl add 0x80000000 256M
hamctl add 0x1000000000 128M
hamctl status
put /proc/ham/fail_next 1
hamctl add 0x60000000 128M
hamctl status
hamctl retry
hamctl status
hamabuse
memfill 300M
cat /proc/modules
"""
BASICS_STATUS = [
    "0000000010000000-0000000017ffffff  rw ENABLED",
    "0000000018000000-000000002fffffff  rw ENABLED",
    "0000000030000000-000000003fffffff  rw ENABLED",
    "0000000040000000-0000000047ffffff  rw ENABLED",
]


def check_basics(built: Built, work: Path) -> None:
    """Adds by ioctl and by driver, refusals, a failure retried, misuse, and more memory used than booted."""
    said = obey(built, BASICS, work)
    assert said.of("modprobe ham").startswith("ham: version 0.1.0 (test build), memory blocks of ")
    assert said.lines("hamctl status", 0) == []
    assert said.lines("hamctl status", 1) == [BASICS_STATUS[0], BASICS_STATUS[2]]
    assert "mhp_sim: 0000000010000000-0000000037ffffff rw: 0" in said.of("insmod")
    assert "mhp_sim: 0000000061080000-000000006907ffff rw: -22" in said.of("insmod")
    assert "mhp_sim: 0000000080000000-000000008fffffff ro: -30" in said.of("insmod")
    read_only = "0000000080000000-000000008fffffff  ro FAILED"
    assert said.lines("hamctl status", 2) == [*BASICS_STATUS, read_only]
    assert said.lines("hamctl count") == ["total 5 enabled 4 present 0 failed 1"]
    assert "[status" not in said.of("rmmod mhp_sim")
    assert said.lines("rmmod ham") == ["rmmod: ham: Resource busy", "[status 1]"]
    assert "hamctl: add: File exists (EEXIST)" in said.lines("hamctl add", 2)
    assert "hamctl: add: Argument list too long (E2BIG)" in said.lines("hamctl add", 3)
    reserved = "0000000080000000-000000008fffffff  rw FAILED"
    assert said.lines("hamctl status", 3) == [*BASICS_STATUS, reserved]
    assert "hamctl: add: Out of memory (ENOMEM)" in said.lines("hamctl add", 4)
    failed = "0000000060000000-0000000067ffffff  rw FAILED"
    assert said.lines("hamctl status", 4) == [*BASICS_STATUS, failed, reserved]
    assert said.lines("hamctl retry")[0] == "tried 2 failed 1"
    assert said.lines("hamctl status", 5) == [*BASICS_STATUS, failed.replace("FAILED", "ENABLED"), reserved]
    check_abuse(said.of("hamabuse"), 30)
    assert "0 bad pages" in said.of("memfill")
    assert re.search(r"^ham +\d+ +5\b", said.of("cat /proc/modules"), re.MULTILINE)


def check_abuse(text: str, least: int) -> None:
    assert "not ok" not in text
    assert len(re.findall(r"^ok \d", text, re.MULTILINE)) >= least
    assert "[status" not in text


def test_adds_refusals_retry_and_misuse(built: Built, tmp_path: Path) -> None:
    check_basics(built, tmp_path)


def test_the_same_on_other_generations(cut_down: Built, tmp_path: Path) -> None:
    check_basics(cut_down, tmp_path)


LOADING = """
put /proc/sys/kernel/modprobe /nowhere
insmod DRIVERS/mhp_sim.o ranges=0x10000000+128M
cat /proc/modules
put /proc/sys/kernel/modprobe /sbin/modprobe
insmod DRIVERS/mhp_sim.o
cat /proc/modules
rmmod ham
rmmod mhp_sim
rmmod ham
cat /proc/modules
insmod DRIVERS/ham.o
insmod DRIVERS/ham.o
insmod DRIVERS/mhp_sim.o ranges=nonsense
insmod DRIVERS/mhp_sim.o range=1+1
insmod DRIVERS/mhp_sim.o ranges=0x10000000+128M
rmmod ham
rmmod mhp_sim
rmmod ham
insmod DRIVERS/mhp_qemu.o
cat /proc/modules
hamctl status
hamctl device
hamctl list
"""


def test_either_module_loads_first_and_ham_stays_under_a_driver(built: Built, tmp_path: Path) -> None:
    said = obey(built, LOADING, tmp_path)
    missing = said.of("insmod", 0)
    assert "mhp_sim: HAM is missing: load the module ham" in missing
    assert "[status 1]" in missing
    assert said.of("cat /proc/modules", 0) == ""
    assert "ham: version" in said.of("insmod", 1)
    assert re.search(r"^ham +\d+ +1\nmhp_sim +\d+ +0 ", said.of("cat /proc/modules", 1))
    assert said.of("rmmod ham", 0) == "rmmod: ham: Resource busy\n[status 1]"
    assert said.of("rmmod mhp_sim", 0) == said.of("rmmod ham", 1) == ""
    assert said.of("cat /proc/modules", 2) == ""
    assert "File exists" in said.of("insmod DRIVERS/ham.o".replace("DRIVERS", built.drivers), 1)
    assert "mhp_sim: ranges: nonsense is not start+size[:rw|:ro]" in said.of("insmod", 4)
    assert "has no parameter range" in said.of("insmod", 5)
    assert "mhp_sim: 0000000010000000-0000000017ffffff rw: 0" in said.of("insmod", 6)
    assert said.of("rmmod ham", 2) == said.of("rmmod ham", 3) == "rmmod: ham: Resource busy\n[status 1]"
    assert "mhp_qemu: no DIMM slots at port a00" in said.of("insmod", 7)
    assert re.search(r"^ham +\d+ +1 *$", said.of("cat /proc/modules", 3))
    assert said.lines("hamctl list") == ["0x10000000 0x8000000 rw ENABLED"]


def test_no_leak_and_nothing_half_added_under_a_storm(built: Built, tmp_path: Path) -> None:
    storm = ("hamabuse", "cat /proc/slabinfo", "hamabuse 0x30000000 0x20000000", "cat /proc/slabinfo")
    calm = ("hamabuse", "cat /proc/slabinfo", "hamabuse", "cat /proc/slabinfo", "hamctl status")
    first = ("modprobe ham", "hamctl add 0x10000000 128M", "hamctl add 0x20000000 128M ro", "hamctl status")
    said = obey(built, "\n".join((*first, *storm, *calm)) + "\n", tmp_path)
    for number in range(4):
        check_abuse(said.of("hamabuse", number), 36)
    check_abuse(said.of("hamabuse 0x30000000"), 38)
    before = said.lines("hamctl status", 0)
    after = said.lines("hamctl status", 1)
    assert len(after) == len(before) + 8
    assert sum(line.endswith("ENABLED") for line in after) == 9
    slabs = [dict(SLAB.findall(said.of("cat /proc/slabinfo", number))) for number in (2, 3)]
    assert len(slabs[0]) >= 5
    grown = {name: int(slabs[1][name]) - int(count) for name, count in slabs[0].items()}
    # A call that leaks leaves 4000 objects behind
    assert max(grown.values()) < 100, grown


def test_the_status_is_the_same_whatever_the_size_of_the_reads(built: Built, tmp_path: Path) -> None:
    reads = (8192, 1, 7, 46, 4096)
    lines = ["modprobe ham"]
    for part in range(3):
        ranges = ",".join(f"{4000 + 4 * (40 * part + i)}M+2M:ro" for i in range(40))
        lines += [f"insmod DRIVERS/mhp_sim.o ranges={ranges}", "rmmod mhp_sim"]
    said = obey(built, "\n".join([*lines, *(f"cat /proc/ham/status {n}" for n in reads)]) + "\n", tmp_path)
    texts = [said.of(f"cat /proc/ham/status {n}") for n in reads]
    assert len(texts[0].splitlines()) == 120
    assert len(texts[0]) > 4096
    assert set(texts) == {texts[0]}


def test_a_module_for_another_kernel_is_refused(tmp_path: Path) -> None:
    plain = guest24.build(*WHOLE["2.4.13 up"])
    versions = guest24.build(*WHOLE["2.4.13 smp"])
    other = guest24.build(*CUT_DOWN["2.4.20 versions"])
    foreign = {"plain": plain, "other": other}
    files = {f"/{name}/ham.o": item.modules.content()["ham"] for name, item in foreign.items()}
    said = guest24.obey(versions, "insmod /plain/ham.o\ninsmod /other/ham.o\nmodprobe ham\n", tmp_path, files)
    assert "unresolved symbols:" in said.of("insmod", 0)
    assert "[status 1]" in said.of("insmod", 0)
    assert "unresolved symbols:" in said.of("insmod", 1)
    assert "[status" not in said.of("modprobe")


def test_one_scenario_has_the_same_status_lines_on_both_lines(debian12: Pipeline, tmp_path: Path) -> None:
    path = scenarios.scenarios_folder() / "lines.toml"
    guest24.build(*WHOLE["2.4.13 up"])  # or the reason to skip
    old = TreePipeline(TreeRequest("linux-2.4.13", scenarios.load(path, Line.LINUX24), keep=True), Quiet())
    assert old.proved.verdict is Verdict.PASS, old.results[-1].detail
    scenario = scenarios.load(path, Line.MAINLINE)
    new = boot(replace(debian12.boot_request, scenario=scenario, out=tmp_path / "new"), Quiet())
    assert new.stage.verdict is Verdict.PASS, new.stage.detail
    steps = [list(frames(text, [STATUS])) for text in (old.booted.report, new.report)]
    listed = [[step.lines(STATUS) for step in run] for run in steps]
    assert len(listed[0]) == 12
    assert len(listed[0][-1]) == 5
    assert listed[0] == listed[1]
    assert [step.rc for step in steps[0]] == [step.rc for step in steps[1]]


@pytest.mark.parametrize("flavour", ["up", "smp"])
def test_globals_and_model_agree_after_failures_and_misuse(flavour: str) -> None:
    guest24.build("linux-2.4.13", flavour)  # or the reason to skip
    scenario = scenarios.load(scenarios.scenarios_folder() / "misuse.toml", Line.LINUX24)
    request = TreeRequest("linux-2.4.13", scenario, flavour=flavour, testing=True, keep=True)
    run = TreePipeline(request, Quiet())
    assert run.booted.stage.verdict is Verdict.PASS, run.booted.stage.detail
    assert [c for c in run.proved.checks if c.verdict is not Verdict.PASS] == []
    assert run.booted.report.count("\nok ") >= 60, "hamabuse ran twice"


PLUG = """
MHP
memfill 60M &
until 120 /proc/ham/status 0000000100000000
cat /proc/ham/status
memfill 450M &
until 120 /proc/ham/status 0000000120000000
wait
cat /proc/ham/status
cat /proc/meminfo
cat /proc/interrupts
memfill 900M
rmmod mhp_qemu
rmmod ham
"""
DIMMS = (("one", 512), ("two", 1024))


@pytest.mark.parametrize("poll", [0, 1], ids=["event", "polled"])
def test_dimms_plugged_into_the_running_machine_are_used(built: Built, tmp_path: Path, poll: int) -> None:
    load = f"insmod {built.drivers}/mhp_qemu.o poll={poll}"
    room = {"memory": 256 * MIB, "slots": 4, "largest": 4096 * MIB, "cpus": cpus(built)}
    seconds = []
    with guest24.running(built, PLUG.replace("MHP", load), tmp_path, **room) as (under, port):
        for number, (name, size) in enumerate(DIMMS):
            until(tmp_path, f"$ until 120 /proc/ham/status 00000001{'02'[number]}", under, port)
            seconds.append(plug(under, name, size * MIB, number))
        until(tmp_path, "hamkit: done", under, port)
        assert under.wait(guest24.SECONDS)
    (tmp_path / "seconds").write_text(f"{seconds}\n")  # until success was reported, as the host saw it
    said = guest24.heard(tmp_path)
    how = "by polling" if poll else "by event"
    expected = ["slots are polled: as asked for" if poll else "events come by interrupt 9"]
    expected += [f"slot 0, {how}: 0000000100000000-000000011fffffff rw: 0"]
    expected += [f"slot 1, {how}: 0000000120000000-000000015fffffff rw: 0"]
    assert re.findall(r"^mhp_qemu: (.*)$", said.report, re.MULTILINE) == expected
    lines = [
        "0000000100000000-000000011fffffff  rw ENABLED",
        "0000000120000000-000000015fffffff  rw ENABLED",
    ]
    assert said.lines("cat /proc/ham/status", 0) == lines[:1]
    assert said.lines("cat /proc/ham/status", 1) == lines
    total = re.search(r"^MemTotal: +(\d+) kB", said.of("cat /proc/meminfo"), re.MULTILINE)
    assert total is not None
    assert int(total[1]) > (256 + 1536) * 1024 * 0.95
    assert said.report.count("0 bad pages") == 3
    assert said.of("rmmod mhp_qemu") == ""
    assert "Resource busy" in said.of("rmmod ham")


def until(work: Path, text: str, under: Session, port: Port) -> None:
    """Until the guest has reported it."""
    deadline = time.monotonic() + guest24.SECONDS
    while text not in (work / "report").read_text(errors="replace"):
        assert time.monotonic() < deadline
        assert port.files, "QEMU has ended"
        under.wait(0.5, *port.files)
        port.pauses()  # takes down what came


def plug(under: Session, name: str, size: int, slot: int) -> float:
    """Plug a DIMM in; the seconds until the driver has reported success back."""
    under.execute("object-add", **{"qom-type": "memory-backend-ram", "id": name, "size": size})
    begin = time.monotonic()
    under.execute("device_add", driver="pc-dimm", id=f"dimm-{name}", memdev=name)
    while True:
        state = under.execute("query-acpi-ospm-status")[slot]
        if state["source"] == 1:
            assert state["status"] == 0
            return round(time.monotonic() - begin, 2)
        assert time.monotonic() - begin < guest24.SECONDS
        assert not under.wait(0.02), "QEMU has ended"


def test_modules_are_the_same_bytes_in_another_place(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchain = find_toolchain()
    monkeypatch.setenv("HAM_CACHE", str(tmp_path / "elsewhere"))
    again = build_modules(ModulesRequest(built.kernel, toolchain, testing=True), Quiet())
    assert again.content() == built.modules.content()
    assert again.stage.facts["warnings"] == []
    for content in again.content().values():
        assert str(tmp_path).encode() not in content
