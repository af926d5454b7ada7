"""What a 2.4 guest finds on its CD and its disk."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.errors import Failure
from hamkit.files import project_root
from hamkit.model.extents import MIB, PAGE
from hamkit.model.scenario import AddStep, Machine, RunStep, Scenario, UseStep
from hamkit.prove.boot24 import TreeBoot, command_line, describe_machine, make_swap
from hamkit.prove.guest24 import DATA, files, swap_disk
from hamkit.run import run

MODULES = {"ham": b"ham", "mhp_sim": b"sim"}
PROGRAMS = {"haminit": b"init", "insmod24": b"insmod", "hamctl": b"ctl", "memwork": b"work"}
MACHINE = Machine(256 * MIB, 128 * MIB)
READ = RunStep(("memwork", "read", DATA, "40K"))


def scenario(*steps: AddStep | UseStep | RunStep, machine: Machine = MACHINE) -> Scenario:
    return Scenario("x", machine, steps)


def test_programs_modules_and_the_plan() -> None:
    nodes = files("2.4.13", MODULES, PROGRAMS, scenario(AddStep(128 * MIB, 2 * MIB), READ))
    assert nodes["/lib/modules/2.4.13/ham.o"].content == b"ham"
    assert nodes["/sbin/insmod"].content == b"insmod"
    assert nodes["/sbin/init"].content == nodes["/sbin/modprobe"].content == b"../bin/haminit"
    lines = nodes["/plan"].content.decode().splitlines()
    assert "program\tinsmod\t/sbin/insmod" in lines
    assert {"pause", "reboot", "load\tham"} <= set(lines)
    assert lines[-1] == f"step\tmemwork read {DATA} 40K\trun\tmemwork\tread\t{DATA}\t40K"


@pytest.mark.parametrize(
    ("modules", "programs", "lacks"),
    [
        ({"ham": b""}, PROGRAMS, "mhp_sim.o"),
        (MODULES, {name: b"" for name in PROGRAMS if name != "memwork"}, "memwork"),
        (MODULES, {name: b"" for name in PROGRAMS if name != "insmod24"}, "insmod24"),
    ],
)
def test_what_lacks_is_named(modules: dict[str, bytes], programs: dict[str, bytes], lacks: str) -> None:
    with pytest.raises(Failure, match=f"ham-src built no {lacks}"):
        files("2.4.13", modules, programs, scenario(READ))


def test_the_file_to_read_is_what_memwork_expects(tmp_path: Path) -> None:
    if shutil.which("gcc") is None or shutil.which("make") is None:
        pytest.skip("gcc and make: apt-get install gcc libc6-dev make")
    content = files("2.4.13", MODULES, PROGRAMS, scenario(READ))[DATA].content
    assert len(content) == 40 * 1024
    (tmp_path / "data").write_bytes(content)
    source = project_root() / "ham-src" / "proof"
    program = tmp_path / "memwork"
    run(["gcc", "-o", program, source / "memwork.c", source / "fill.c"])
    said = run([program, "read", tmp_path / "data", "40K"]).stdout
    assert said == "memwork: read: 40960 bytes verified, 0 bad pages\n"
    (tmp_path / "data").write_bytes(bytes(8) + content[8:])
    assert "2 bad pages" in run([program, "read", tmp_path / "data", "40K"], check=False).stdout
    assert DATA not in files("2.4.13", MODULES, PROGRAMS, scenario())


def test_a_disk_to_swap_to(tmp_path: Path) -> None:
    make_swap(tmp_path / "swap.img", 16 * MIB)
    raw = (tmp_path / "swap.img").read_bytes()
    assert len(raw) == 16 * MIB
    assert raw[:PAGE] == swap_disk(16 * MIB)
    assert struct.unpack_from("<III", raw, 1024) == (1, 4095, 0)
    assert raw[PAGE - 10 : PAGE] == b"SWAPSPACE2"
    assert not any(raw[PAGE:])


def request_(machine: Machine, folder: Path, cpus: int = 1) -> TreeBoot:
    return TreeBoot(
        *(folder / "bzImage", folder / "System.map", {}, "2.4.13", MODULES, PROGRAMS),
        *(scenario(machine=machine), folder, cpus),
    )


def test_the_machine_and_its_command_line(tmp_path: Path) -> None:
    split = Machine(512 * MIB, 128 * MIB, low_memory=256 * MIB, swap=16 * MIB)
    request = request_(split, tmp_path, cpus=2)
    argv = " ".join(describe_machine(request).argv())
    assert f"max-ram-below-4g={256 * MIB}" in argv
    assert f"file={tmp_path}/swap.img,if=ide,index=0" in argv
    assert "-smp 2,sockets=2" in argv
    assert {"mem=131072K", "noapic"} <= set(command_line(request).split())
    whole = request_(Machine(128 * MIB, 128 * MIB), tmp_path)
    assert "mem=" not in command_line(whole)
    assert "noapic" not in command_line(whole)
    assert ["ide0=noprobe" in command_line(each).split() for each in (request, whole)] == [False, True]
    assert "if=ide,index=0" not in " ".join(describe_machine(whole).argv())


def test_scenarios_that_run_programs() -> None:
    proof = scenarios.load(scenarios.scenarios_folder() / "proof-24.toml")
    assert [s.words for s in proof.steps if isinstance(s, RunStep)][:2] == [("memwork", "hold", "320M")] * 2
    pressure = scenarios.load(scenarios.scenarios_folder() / "pressure-24.toml")
    assert pressure.machine.swap == 128 * MIB
