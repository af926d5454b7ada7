"""The guest's report and the kernel's log: real ones, cut short, garbled."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hamkit.errors import Failure
from hamkit.model.extents import GIB, MIB, Extent
from hamkit.model.firmware import USABLE
from hamkit.model.qemu import firmware_map
from hamkit.prove.report import parse_console, parse_map, parse_report

DATA = Path(__file__).parent.parent / "data" / "model"


def captured(name: str) -> str:
    return gzip.decompress((DATA / f"{name}.gz").read_bytes()).decode()


REPORT = captured("default-6.1.report")
CONSOLE = captured("default-6.1.console")


def test_report_of_a_real_run() -> None:
    boot, *_, last = snapshots = parse_report(REPORT)
    assert [s.step for s in snapshots] == list(range(10))
    assert boot.meminfo["MemTotal"] == 466536
    assert [(z.name, z.start, z.spanned, z.present, z.managed) for z in boot.zones[:2]] == [
        ("DMA", 1, 4095, 3998, 3840),
        ("DMA32", 4096, 126976, 126976, 112794),
    ]
    assert boot.block_size == 128 * MIB
    assert boot.policy == "offline"
    assert boot.blocks == tuple((f"memory{n}", "online") for n in range(4))
    assert boot.status == ()
    assert boot.system_ram == (Extent(0x1000, 0x9FC00), Extent(MIB, 512 * MIB))
    assert any(line.depth == 1 and line.name == "Kernel code" for line in boot.iomem)
    assert boot.dmesg[0].startswith("Linux version 6.1.0-")
    assert len(last.status) == 6
    assert [number for number, _ in last.blocks] == [f"memory{n}" for n in range(11)]
    assert last.output == ("memfill: 671088640 bytes verified, 0 bad pages",)


@pytest.mark.parametrize(
    ("name", "first_freed"),
    [
        ("default-6.1", "SMP alternatives"),
        ("boot-5.10", "SMP alternatives"),
        ("boot-7.2", "SMP alternatives"),
    ],
)
def test_console_of_a_real_boot(name: str, first_freed: str) -> None:
    log = parse_console(captured(f"{name}.console"))
    assert [(e.extent, e.kind == USABLE) for e in log.firmware] == [
        (e.extent, e.kind == USABLE) for e in firmware_map(2304 * MIB)
    ]
    assert log.present == 523896
    assert 0 < log.reserved < log.present
    assert log.freed[0][0] == first_freed


def test_only_what_was_freed_after_the_count_is_added_to_it() -> None:
    """6.12 counts after it freed the SMP alternatives."""
    log = parse_console(captured("odd-6.12.console"))
    assert [name for name, _ in log.freed] == [
        "initrd",
        "unused decrypted",
        "unused kernel image (initmem)",
        "unused kernel image (rodata/data gap)",
    ]


def test_map_in_the_words_of_older_and_newer_kernels() -> None:
    old = "BIOS-e820: [mem 0x0000000100000000-0x000000013fffffff] usable\r\n"
    new = "BIOS-e820: [mem 0x0000000100000000-0x000000013fffffff]  System RAM\n"
    gap = "BIOS-e820: [gap 0x0000000000000000-0x00000000ffffffff]\n"
    assert parse_map(old) == parse_map(new + gap) == parse_map(old + old)
    assert parse_map(old)[0].extent == Extent(4 * GIB, 5 * GIB)
    assert parse_map(new.replace("System RAM", "device reserved"))[0].kind == "device reserved"


@pytest.mark.parametrize(("without", "words"), [("BIOS-e820", "firmware map"), ("available", "Memory: line")])
def test_console_without_what_is_needed(without: str, words: str) -> None:
    kept = "\n".join(line for line in CONSOLE.splitlines() if without not in line)
    with pytest.raises(Failure, match=words):
        parse_console(kept)


def test_empty_report() -> None:
    for text in ("", "@@ham begin 0", "@@ham begin 0\n"):
        with pytest.raises(Failure, match="cut short"):
            parse_report(text)
    with pytest.raises(Failure, match="no step before the end"):
        parse_report("@@ham done\n")


def test_a_pause_after_a_step_changes_nothing() -> None:
    paused = re.sub(r"(@@ham finish (\d+)\r?\n)", r"\1@@ham pause \2\n", REPORT)
    assert paused.count("@@ham pause") == 10
    assert parse_report(paused) == parse_report(REPORT)
    with pytest.raises(Failure, match=r"step 3, line .*'@@ham pause 3' is due"):
        parse_report(paused.replace("@@ham pause 3", "@@ham pause 4"))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(REPORT) - len("@@ham done\r\n") - 1))
def test_report_cut_anywhere_names_step_and_line(at: int) -> None:
    cut = REPORT[:at]
    with pytest.raises(Failure) as caught:
        parse_report(cut)
    begun = len(re.findall("@@ham begin .*\n", cut))
    assert f"line {cut.count(chr(10)) + 1}:" in caught.value.message
    assert (f"step {begun - 1}," if begun else "before the first step,") in caught.value.message


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, REPORT.count("\n") - 2), st.sampled_from(["", "@@ham end", "\x00\x7f", "zz", "@@ham rc x"])
)
def test_report_with_a_line_replaced_is_read_or_refused(at: int, line: str) -> None:
    lines = REPORT.split("\n")
    lines[at] = line
    try:
        assert len(parse_report("\n".join(lines))) == 10
    except Failure as bad:
        assert "line " in bad.message  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (
            "@@ham begin 0",
            "@@ham begin 1",
            "before the first step, line 1: '@@ham begin 1' where '@@ham begin 0'",
        ),
        ("@@ham finish 3", "@@ham finish 4", "step 3, line .*'@@ham finish 3' is due"),
        ("@@ham rc 0", "@@ham rc", "step 0, line .* NUMBER' is due"),
        ("@@ham rc 0", "@@ham end", "step 0"),
        ("@@ham file blocks", "@@ham file clocks", "step 0, .*no blocks"),
        ("MemTotal:         466536 kB", "MemTotal: lots", "step 0, line 3: /proc/meminfo: not a counter"),
        ("MemFree: ", "MemTree: ", "step 0, .*/proc/meminfo: no MemFree"),
        ("00100000-1fffffff : System RAM", "00100000-1ff : System RAM", "/proc/iomem: not a resource"),
        ("size 8000000", "size 8x", "blocks: not a size"),
        ("size 8000000", "site 8000000", "blocks: does not begin with size"),
        ("memory3 online", "memory3 is online", "blocks: not a name and a value"),
        ("memory3 online", "3 online", "blocks: not a memory block"),
        ("        managed  3840", "        damaged  3840", "zoneinfo: zone DMA has no managed"),
        ("Node 0, zone      DMA", "Node", "zoneinfo: a count before the first zone"),
        ("@@ham done", "@@ham don't", "step 9, line .*'@@ham begin 10' is due"),
        ("@@ham begin 5", "[    4.2] noise", "step 4, line .* where a mark is due"),
    ],
)
def test_garbled_report_names_step_and_line(good: str, bad: str, words: str) -> None:
    assert good in REPORT
    with pytest.raises(Failure, match=words):
        parse_report(REPORT.replace(good, bad, 1))
