"""Scenario files: what is read, and every mistake named with its field."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamkit import scenario_text, scenarios
from hamkit.errors import UserError
from hamkit.model.extents import GIB, MIB
from hamkit.model.i386 import Highmem, Kernel
from hamkit.model.scenario import AddStep, Attribute, Errno, Line, Machine, RetryStep, UseStep

GOOD = """
[scenario]
name = "good"
[machine]
memory = "2304M"
boot_memory = 0x20000000
[[step]]
action = "add"
start = "0x20000000"
size = 134217728
[[step]]
action = "add"
start = "512m"
size = "0x20K"
attr = "ro"
expect = "EROFS"
[[step]]
action = "use"
size = "1G"
[[step]]
action = "retry"
expect = "EROFS"
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(UserError) as caught:
        scenarios.parse(text, "x.toml")
    lines = caught.value.message.splitlines()
    assert all(line.startswith("x.toml: ") for line in lines)
    return [line.removeprefix("x.toml: ") for line in lines]


def test_a_good_scenario() -> None:
    scenario = scenarios.parse(GOOD)
    assert scenario.machine == Machine(2304 * MIB, 512 * MIB, 1)
    assert scenario.steps == (
        AddStep(0x20000000, 128 * MIB),
        AddStep(0x20000000, 0x20 << 10, Attribute.RO, Errno.EROFS),
        UseStep(GIB),
        RetryStep(Errno.EROFS),
    )


def test_every_scenario_that_ships_loads() -> None:
    names = [scenarios.load(path).name for path in scenarios.scenarios_folder().glob("*.toml")]
    assert "default" in names


def test_all_mistakes_at_once_each_with_its_field() -> None:
    found = mistakes("""
surplus = 1
[scenario]
name = "no blanks"
[machine]
memory = "1G"
boot_memory = "2G"
cpus = 0
[[step]]
action = "add"
start = "here"
size = -1
attr = "wo"
expect = "EWHAT"
[[step]]
action = "fly"
[[step]]
size = 1
[[step]]
action = "use"
size = "8G"
[[step]]
action = "retry"
size = 1
[[step]]
action = "add"
start = "0x10000000000000000"
[[step]]
action = "use"
size = true
""")
    fields = [line.split(": ")[0] for line in found]
    assert sorted(fields) == sorted(
        [
            "surplus",
            "scenario.name",
            "machine.cpus",
            "machine.boot_memory",
            *(f"step[1].{field}" for field in ("start", "size", "attr", "expect")),
            "step[2].action",
            "step[3].action",
            "step[4].size",
            "step[5].size",
            "step[6].start",
            "step[6].size",
            "step[7].size",
        ]
    )
    assert "machine.boot_memory: more than machine.memory" in found


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        ('"2304M"', '"65G"', "machine.memory"),
        ('"2304M"', '"2304.5M"', "machine.memory"),
        ('"2304M"', "2415919105", "machine.memory"),
        ('"2304M"', '""', "machine.memory"),
        ('"2304M"', "[1]", "machine.memory"),
        ("0x20000000", "0x20000001", "machine.boot_memory"),
        ("0x20000000", '"16M"', "machine.boot_memory"),
        ("0x20000000", "2.5", "machine.boot_memory"),
        ("0x20000000", '"2305M"', "machine.boot_memory"),
        ('"1G"', "0", "step[3].size"),
        ('"1G"', '"3G"', "step[3].size"),
        ('"retry"', '"reboot"', "step[4].action"),
        ('"retry"', "[]", "step[4].action"),
        ('"EROFS"\n[[step]]', '"erofs"\n[[step]]', "step[2].expect"),
        ("134217728", '"99999999999999999T"', "step[1].size"),
    ],
)
def test_one_mistake(good: str, bad: str, field: str) -> None:
    (found,) = mistakes(GOOD.replace(good, bad, 1))
    assert found.startswith(f"{field}: ")


def test_nothing_and_not_toml() -> None:
    assert {line.split(":")[0] for line in mistakes("")} == {"scenario", "machine", "step"}
    assert mistakes("step = 3\nmachine = 4\nscenario = 'x'")
    assert mistakes("[machine\n")[0].startswith("not readable as TOML")
    assert mistakes("a = " + "[" * 100_000)[0].startswith("not readable as TOML")
    assert any(line.startswith("step") for line in mistakes(GOOD.split("[[step]]", 1)[0] + "step = []"))


def test_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no scenario"):
        scenarios.load(tmp_path / "absent.toml")
    with pytest.raises(UserError, match="cannot read"):
        scenarios.load(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="cannot read"):
        scenarios.load(binary)


@given(st.integers(0, (1 << 64) - 1), st.sampled_from("KMGT"))
def test_sizes_mean_the_same_in_every_spelling(number: int, suffix: str) -> None:
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[suffix]
    assert scenarios.parse_size(number) == scenarios.parse_size(str(number)) == number
    assert scenarios.parse_size(hex(number)) == number
    assert scenarios.parse_size(f"{number}{suffix}") == number * factor
    assert scenarios.parse_size(f"{number:#x}{suffix.lower()}") == number * factor


@given(st.text(max_size=40))
def test_any_text_is_a_size_or_a_mistake(text: str) -> None:
    try:
        size = scenarios.parse_size(text)
    except ValueError:
        return
    assert size >= 0
    assert text.strip()[0].isascii()
    assert text.strip()[0].isdigit()


OLD = GOOD.replace('name = "good"', 'name = "old"\nline = "2.4"').replace(
    "[[step]]", '[kernel]\nhighmem = "4G"\nreserve = "64M"\nhotadd = "32M"\n[[step]]', 1
)


def test_a_scenario_for_the_2_4_line() -> None:
    scenario = scenarios.parse(OLD)
    assert scenario.lines == (Line.LINUX24,)
    assert scenario.kernel == Kernel(Highmem.G4, 64, "32M")
    assert scenario.limit == 512 * MIB
    assert scenarios.parse(GOOD).lines == (Line.MAINLINE,)
    assert scenarios.parse(OLD.replace('"2.4"', '"both"')).lines == (Line.MAINLINE, Line.LINUX24)
    assert scenarios.parse(OLD.replace("0x20000000", '"2304M"', 1)).limit is None
    assert scenarios.parse(OLD.replace('"32M"', str(48 * MIB))).kernel.hotadd == "48M"
    assert scenarios.parse(OLD.replace('"32M"', '"100K"')).kernel.hotadd == "100K"


@pytest.mark.parametrize(
    ("good", "bad", "field"),
    [
        ('"2.4"', '"2.5"', "scenario.line"),
        ('"2.4"', '"mainline"', "kernel"),
        ('highmem = "4G"', 'highmem = "8G"', "kernel.highmem"),
        ('highmem = "4G"', "colour = 1", "kernel.colour"),
        ('"64M"', '"64K"', "kernel.reserve"),
        ('"32M"', "-1", "kernel.hotadd"),
        ('"32M"', "-1048576", "kernel.hotadd"),
        ('"32M"', '"32M mem=64M"', "kernel.hotadd"),
        ('"32M"', '""', "kernel.hotadd"),
        ('highmem = "4G"', "struct_page = 66", "kernel.struct_page"),
        ('highmem = "4G"', 'mem_option = "ignore"', "kernel.mem_option"),
        ('highmem = "4G"', "zone_ratios = [1, 2]", "kernel.zone_ratios"),
        ('memory = "2304M"', 'memory = "2304M"\nlow_memory = "1.5M"', "machine.low_memory"),
        ('memory = "2304M"', 'memory = "2304M"\nlow_memory = "4G"', "machine.low_memory"),
        ("0x20000000", '"8M"', "machine.boot_memory"),
        ('memory = "2304M"', 'memory = "2304M"\nlow_memory = "256M"', "machine.boot_memory"),
        ("0x20000000", '"2359232K"', "machine.boot_memory"),
    ],
)
def test_one_mistake_of_the_2_4_line(good: str, bad: str, field: str) -> None:
    assert any(line.startswith(f"{field}") for line in mistakes(OLD.replace(good, bad, 1)))


def test_16_mib_are_enough_for_2_4_but_not_for_both() -> None:
    small = OLD.replace("0x20000000", '"16M"', 1)
    assert scenarios.parse(small).machine.boot_memory == 16 * MIB
    (found,) = mistakes(small.replace('"2.4"', '"both"'))
    assert found.startswith("machine.boot_memory: less than 128M")


@pytest.mark.parametrize("text", [GOOD, OLD, OLD.replace('"2.4"', '"both"')])
def test_what_is_written_is_read_back(text: str) -> None:
    scenario = scenarios.parse(text)
    assert scenarios.parse(scenario_text.text(scenario)) == scenario


def test_every_scenario_that_ships_is_read_back() -> None:
    for path in scenarios.scenarios_folder().glob("*.toml"):
        scenario = scenarios.load(path)
        assert scenarios.parse(scenario_text.text(scenario)) == scenario


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ('["sh", "-c", "true"]', "sh is none of the guest's programs"),
        ('["memwork", "a b"]', "words"),
        ("[]", "words"),
    ],
)
def test_steps_that_run_something_else(words: str, complaint: str) -> None:
    text = GOOD + f'\n[[step]]\naction = "run"\nwords = {words}\n'
    with pytest.raises(UserError, match=complaint):
        scenarios.parse(text)
