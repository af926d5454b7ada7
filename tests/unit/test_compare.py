"""Real runs held against the model, and the same runs with one thing wrong."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.errors import Failure
from hamkit.model.extents import MIB
from hamkit.model.mainline import address_end
from hamkit.model.scenario import AddStep, Errno, Machine, Scenario, UseStep
from hamkit.prove.compare import compare
from hamkit.prove.comparison import Check
from hamkit.stage import Verdict

DATA = Path(__file__).parent.parent / "data" / "model"


def captured(name: str) -> str:
    return gzip.decompress((DATA / f"{name}.gz").read_bytes()).decode()


REPORT = captured("default-6.1.report")
CONSOLE = captured("default-6.1.console")
SCENARIO = scenarios.load(DATA / "default.toml")
TWICE = "mhp_sim: 0000000020000000-0000000027ffffff rw: 0"
BARE = Scenario("bare", Machine(2304 * MIB, 512 * MIB))


def failed(scenario: Scenario, console: str, report: str) -> list[Check]:
    return [c for c in compare(scenario, console, report).checks if c.verdict is not Verdict.PASS]


def in_step(number: int, good: str, bad: str, report: str = REPORT) -> str:
    """The report with the first ``good`` of one step replaced."""
    parts = re.split(r"(?=@@ham begin )", report)
    assert good in parts[number + 1]
    parts[number + 1] = parts[number + 1].replace(good, bad, 1)
    return "".join(parts)


def with_processor(physical: int) -> str:
    """The report with what a guest of today says of its processor."""
    said = f"processor\t: 0\r\naddress sizes\t: {physical} bits physical, 48 bits virtual\r\n"
    return REPORT.replace("@@ham rc 0", f"@@ham file /proc/cpuinfo\r\n{said}@@ham end\r\n@@ham rc 0", 1)


def test_what_cannot_be_addressed_is_the_processors_word() -> None:
    """Step 8 adds at 64 GiB: ENODEV as the kernel said, but E2BIG on a processor of 36 bits."""
    assert failed(SCENARIO, CONSOLE, with_processor(40)) == []
    wrong = {c.title: c for c in failed(SCENARIO, CONSOLE, with_processor(36)) if c.step == 8}
    assert (wrong["result, by the model"].expected, wrong["result, by the model"].seen) == ("E2BIG", "ENODEV")


@pytest.mark.parametrize(
    ("physical", "virtual", "bits"), [(40, 48, 40), (52, 48, 46), (52, 57, 52), (36, 0, 36)]
)
def test_the_kernel_may_address_less_than_the_processor(physical: int, virtual: int, bits: int) -> None:
    assert address_end(physical, virtual) == 1 << bits


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("default-6.1", SCENARIO),
        ("odd-6.12", scenarios.load(DATA / "odd.toml")),
        ("boot-5.10", BARE),
        ("boot-7.2", BARE),
    ],
)
def test_real_runs_agree_with_the_model(name: str, scenario: Scenario) -> None:
    result = compare(scenario, captured(f"{name}.console"), captured(f"{name}.report"))
    assert [c for c in result.checks if c.verdict is not Verdict.PASS] == []
    assert result.verdict is Verdict.PASS
    assert {c.step for c in result.checks} == set(range(len(scenario.steps) + 1))


def test_only_free_memory_has_an_allowance() -> None:
    checks = compare(SCENARIO, CONSOLE, REPORT).checks
    allowed = [c for c in checks if c.allowance]
    assert {c.step for c in allowed} == {1, 2, 3, 5}
    assert all(c.title.startswith("MemFree") and "KiB" in c.allowance for c in allowed)
    assert all(c.expected == c.seen for c in checks if not c.allowance)


def test_course_of_the_run() -> None:
    steps = compare(SCENARIO, CONSOLE, REPORT).steps
    assert [s.result for s in steps] == [*["ok"] * 6, "EINVAL", "EEXIST", "ENODEV", "ok"]
    assert [s.mem_total_kib for s in steps] == [s.expected_total_kib for s in steps]
    assert steps[1].label == "add 0x20000000 + 128M"
    assert steps[1].zones[2] == ("Normal", 32768, 32768, 32768)
    assert len(steps[9].status) == 6


@pytest.mark.parametrize(
    ("step", "good", "bad", "titles"),
    [
        (4, "MemTotal:         990824", "MemTotal:         990820", {"MemTotal"}),
        (4, "managed  131072", "managed  131073", {"zone Normal"}),
        (4, "start_pfn:           4096", "start_pfn:           4097", {"zone DMA32"}),
        (0, "spanned  4095", "spanned  4096", {"zone DMA"}),
        (0, "managed  3840", "managed  3999", None),
        (1, "zone   Normal", "zone    Extra", {"zone Normal", "memory in other zones and nodes"}),
        (
            1,
            "Node 0, zone   Normal",
            "Node 1, zone   Normal",
            {"zone Normal", "memory in other zones and nodes"},
        ),
        (1, "memory4 online", "memory4 offline", {"memory blocks"}),
        (1, "memory4 online", "memory5 online", {"memory blocks"}),
        (1, "20000000-27ffffff : System RAM", "20000000-27fffffe : System RAM", {"System RAM"}),
        (1, "rw ENABLED", "rw PRESENT", {"/proc/ham/status"}),
        (3, "  rw ENABLED\r\n", "  ro ENABLED\r\n", {"/proc/ham/status"}),
        (1, "27ffffff rw: 0", "27ffffff rw: -12", {"result, by the model", "result, by the scenario"}),
        (1, "27ffffff rw: 0", "27ffffff ro: 0", {"result, by the model", "result, by the scenario"}),
        (
            1,
            "27ffffff rw: 0",
            f"27ffffff rw: 0\r\n{TWICE}",
            {"result, by the model", "result, by the scenario"},
        ),
        (6, "refused: ", "declined: ", {"refusals in the kernel's log"}),
        (7, "(17)", "(19)", {"refusals in the kernel's log"}),
        (9, "hamkit: step", "BUG: step", {"kernel warnings"}),
        (9, "671088640 bytes", "671084544 bytes", {"memory filled and verified"}),
        (9, "0 bad", "1 bad", {"memory filled and verified"}),
        (9, "@@ham rc 0", "@@ham rc 2", {"result, by the model", "result, by the scenario"}),
    ],
)
def test_one_thing_wrong_is_found(step: int, good: str, bad: str, titles: set[str] | None) -> None:
    found = failed(SCENARIO, CONSOLE, in_step(step, good, bad))
    if titles is not None:
        assert {c.title for c in found} == titles
        assert {c.step for c in found} <= {step}
    else:
        assert {c.title for c in found} >= {
            "MemTotal is the sum of managed pages",
            "zones with more managed than present pages",
        }


def test_counts_of_the_boot_are_held_against_the_kernels_own() -> None:
    less = failed(SCENARIO, CONSOLE.replace("Freeing initrd memory: ", "Freeing initrd memory: 1"), REPORT)
    assert {c.title for c in less} == {"MemTotal is what the kernel counted and freed"}
    assert less[0].step == 0


def test_free_memory_that_vanishes_is_found() -> None:
    report = re.sub(r"(?<=MemFree: )( +)(\d{6,})( kB)", lambda m: f"{m[1]}{int(m[2]) // 2}{m[3]}", REPORT)
    assert {c.title.split(":")[0] for c in failed(SCENARIO, CONSOLE, report)} == {"MemFree"}


def test_another_map_gives_other_zones() -> None:
    """What is derived at boot comes from the printed map: 16 MiB less RAM is noticed everywhere."""
    console = CONSOLE.replace(
        "0x0000000000100000-0x000000008ffdefff", "0x0000000001100000-0x000000008ffdefff"
    )
    found = {c.title for c in failed(SCENARIO, console, REPORT) if c.step == 0}
    assert found >= {"RAM that the kernel counted", "zone DMA", "zone DMA32", "System RAM"}


def test_scenario_that_hopes_for_more() -> None:
    refused = SCENARIO.steps[5]
    assert isinstance(refused, AddStep)
    steps = (*SCENARIO.steps[:5], replace(refused, expect=Errno.OK), *SCENARIO.steps[6:])
    (found,) = failed(replace(SCENARIO, steps=steps), CONSOLE, REPORT)
    assert (found.title, found.expected, found.seen) == ("result, by the scenario", "ok", "EINVAL")


def test_run_that_stopped_between_steps() -> None:
    short = REPORT[: REPORT.index("@@ham begin 7")] + "@@ham done\n"
    (found,) = failed(SCENARIO, CONSOLE, short)
    assert (found.title, found.expected, found.seen) == ("steps in the report", "10", "7")


def test_quiet_console_leaves_the_guests_own_log() -> None:
    assert compare(SCENARIO, "nothing\n", REPORT).verdict is Verdict.PASS
    with pytest.raises(Failure, match="firmware map"):
        compare(SCENARIO, "nothing\n", re.sub(r"BIOS-e820", "map", REPORT))


def test_unknown_policy() -> None:
    with pytest.raises(Failure, match="auto_online_blocks is 'sometimes'"):
        compare(SCENARIO, CONSOLE, in_step(0, "policy offline", "policy sometimes"))


def test_use_of_a_part_of_a_page() -> None:
    steps = (*SCENARIO.steps[:8], UseStep(640 * MIB - 1))
    assert failed(replace(SCENARIO, steps=steps), CONSOLE, REPORT) == []
