"""Counting instructions in a guest: what it is told to do, how its report is read, how rows are judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hamkit.build.kernel24.flavours import counting_flavour, hotadd_flavour, stock_flavour
from hamkit.courses.overhead import OverheadPipeline, OverheadRequest
from hamkit.errors import Failure, UserError
from hamkit.files import project_root
from hamkit.kernel.facts import Fact, KernelFacts
from hamkit.kernel.identify import Identity
from hamkit.progress import Quiet
from hamkit.prove.overhead.count import (
    Added,
    CountRequest,
    Counts,
    describe_machine,
    disc,
    read_counts,
    steps,
)
from hamkit.prove.overhead.limits import load_limits
from hamkit.prove.overhead.verdicts import AFTER, BEFORE, HOTADD, Row, Runs, compare_modes, judge, verdict
from hamkit.stage import Verdict

MIB = 1 << 20
LIMITS = load_limits()
NAMES = [row.name for row in LIMITS.rows]


def report(*outputs: str, rc: int = 0) -> str:
    frames = [
        f"@@ham begin {n}\n@@ham file output\n{text}@@ham end\n@@ham rc {rc if n else 0}\n@@ham finish {n}\n"
        for n, text in enumerate(("", *outputs))
    ]
    return "".join(frames) + "@@ham done\n"


def test_a_row_is_the_median_of_its_batches_in_instructions() -> None:
    counts = read_counts(report("row pipe 2 4000 80 4008\nskip tmpfs-write this kernel has no tmpfs\n"))
    assert counts.rows == {"pipe": 500.0}
    assert counts.skipped == {"tmpfs-write": "this kernel has no tmpfs"}


def test_the_loop_around_the_cheapest_row_does_not_count() -> None:
    counts = read_counts(report("row empty-loop 10 400\nrow null-syscall 10 4400\n"))
    assert counts.rows == {"null-syscall": 100.0}


def test_adds_come_in_order() -> None:
    counts = read_counts(report("row add 4194304 4000\n", "row pipe 1 4\n", "row add 8388608 8000\n"))
    assert counts.adds == ((4 * MIB, 1000), (8 * MIB, 2000))


def test_what_goes_wrong_in_the_guest_is_told() -> None:
    with pytest.raises(Failure, match="status 1: hambench: adding memory: File exists"):
        read_counts(report("hambench: adding memory: File exists\n", rc=1))
    with pytest.raises(Failure, match="neither a row nor a reason: 'row pipe'"):
        read_counts(report("row pipe\n"))
    with pytest.raises(Failure, match="cut short"):
        read_counts(report("row pipe 1 4\n").removesuffix("@@ham done\n"))


def request(tmp_path: Path) -> CountRequest:
    programs = dict.fromkeys(("hambench", "haminit", "insmod24", "hamctl"), b"\x7fELF")
    return CountRequest("x", tmp_path / "bzImage", "2.4.13", programs, 64 * MIB, 96 * MIB, tmp_path)


def test_memory_is_added_before_the_rows_and_after_them(tmp_path: Path) -> None:
    asked = replace(
        request(tmp_path), adds=(Added(64 * MIB, 4 * MIB),), adds_after=(Added(68 * MIB, 8 * MIB),)
    )
    assert [" ".join(step.words) for step in steps(asked)] == [
        "hamctl device",
        "hambench add 0x4000000 0x400000",
        "hambench rows",
        "hambench add 0x4400000 0x800000",
    ]
    assert [step.label for step in steps(request(tmp_path))] == ["hambench rows"]


def test_the_machine_counts_and_hides_memory(cache: Path, tmp_path: Path) -> None:
    argv = describe_machine(request(tmp_path)).argv()
    assert argv[argv.index("-icount") + 1].startswith("shift=2,")
    assert "mem=65536K" in disc(request(tmp_path)).append.split()
    whole = disc(replace(request(tmp_path), memory=96 * MIB))
    assert "mem=" not in whole.append
    assert whole.initrd is not None
    assert whole.initrd[1080:1082] == b"\x53\xef"  # ext2


def counts(factor: float = 1.0, whole: int = 10_000_000, first: int = 2_500_000) -> Counts:
    adds = tuple((size, first * size // LIMITS.regions[0]) for size in LIMITS.regions)
    return Counts(dict.fromkeys(NAMES, 1000.0 * factor), {}, (*adds, (LIMITS.whole, whole)))


def rows_of(phase: str, rows: tuple[Row, ...]) -> dict[str, Row]:
    return {row.name: row for row in rows if row.phase == phase}


def test_a_kernel_that_costs_the_same_passes() -> None:
    rows = judge(LIMITS, Runs((counts(),), (counts(),), (counts(),), (counts(),)))
    assert {row.verdict for row in rows} == {Verdict.PASS}
    assert len(rows) == 2 * len(NAMES) + 2
    assert verdict(rows) is Verdict.PASS


def test_each_row_has_its_own_limit() -> None:
    rows = judge(LIMITS, Runs((counts(),), (counts(1.005),), (counts(),), (counts(1.029),)))
    before, after = rows_of(BEFORE, rows), rows_of(AFTER, rows)
    assert [name for name, row in before.items() if row.verdict is Verdict.PASS] == ["file-map-fault"]
    assert before["pipe"].ratio == pytest.approx(1.005)
    assert {row.verdict for row in after.values()} == {Verdict.PASS}
    assert verdict(rows) is Verdict.FAIL
    worse = judge(LIMITS, Runs((counts(),), (counts(),), (counts(),), (counts(1.031),)))
    assert {row.verdict for row in rows_of(AFTER, worse).values()} == {Verdict.FAIL}


def test_hot_add_is_held_against_a_count_and_a_line() -> None:
    slow = judge(LIMITS, Runs((counts(),), (counts(),), (counts(),), (counts(whole=13_000_001),)))
    hotadd = rows_of(HOTADD, slow)
    assert [row.verdict for row in hotadd.values()] == [Verdict.FAIL, Verdict.FAIL]
    bent = judge(LIMITS, Runs((counts(),), (counts(),), (counts(),), (counts(whole=10_300_000),)))
    assert [row.verdict for row in rows_of(HOTADD, bent).values()] == [Verdict.PASS, Verdict.FAIL]


def test_rounds_that_differ_are_told_and_the_worse_one_counts() -> None:
    rows = judge(
        LIMITS, Runs((counts(), counts()), (counts(), counts(1.004)), (counts(),) * 2, (counts(),) * 2)
    )
    row = rows_of(BEFORE, rows)["pipe"]
    assert row.ratio == pytest.approx(1.004)
    assert row.verdict is Verdict.FAIL
    assert row.why == "rounds differ by 0.40%"


def test_a_row_that_was_not_measured_is_no_pass() -> None:
    lacking = replace(counts(), rows={}, skipped=dict.fromkeys(NAMES, "no such thing"))
    rows = judge(LIMITS, Runs((lacking,), (counts(),), (counts(),), (counts(),)))
    assert {(row.verdict, row.why) for row in rows_of(BEFORE, rows).values()} == {
        (Verdict.NOT_RUN, "no such thing")
    }
    assert verdict(rows_of(BEFORE, rows).values()) is Verdict.NOT_RUN


def test_stock_kernels_side_by_side() -> None:
    table = compare_modes(LIMITS, {"4G": counts(), "64G": counts(1.1)})
    assert [row.name for row in table] == NAMES
    assert dict(table[0].stock) == {"4G": 1000.0, "64G": pytest.approx(1100.0)}


def test_every_row_of_the_program_has_a_limit_and_the_other_way_round() -> None:
    source = (project_root() / "ham-src" / "proof" / "hambench.c").read_text()
    assert [name for name in NAMES if f'{{ "{name}", ' not in source] == []
    assert source.split("rows[] = {")[1].split("};")[0].count("{") == len(NAMES) + 1  # and the empty loop


def test_mistakes_in_the_limits_come_all_at_once(tmp_path: Path) -> None:
    path = tmp_path / "overhead.toml"
    text = (project_root() / "specs" / "limits" / "overhead.toml").read_text()
    path.write_text(text.replace('"1G"', '"1000K"').replace("before = 1.008", "before = 0"))
    with pytest.raises(UserError) as error:
        load_limits(path)
    assert "machine.whole" in error.value.message
    assert "before" in error.value.message


PAE = Fact("pae_top_level", "", "own_page", "", 0)
FACTS = KernelFacts(Identity("2.4.13", "2.4.13", "", "vanilla", ()), {"pae_top_level": PAE}, (), ())


def test_stock_and_patched_kernels_differ_in_hot_add_only() -> None:
    patched = counting_flavour(hotadd_flavour(FACTS))
    asked, stock = patched.requested().options, stock_flavour(patched).requested().options
    assert set(asked) - set(stock) == {"CONFIG_MEM_HOTADD", "CONFIG_MEM_HOTADD_RESERVE"}
    assert {name: value for name, value in asked.items() if name in stock} == stock
    assert stock_flavour(patched, "4G").requested()["CONFIG_HIGHMEM4G"] == "y"
    assert {asked[name] for name in asked if "_IDE" in name} == {"n"}


@pytest.mark.parametrize(
    ("top_level", "modes"), [("own_page", ("none", "4G", "64G")), ("empty_page", ("none", "4G"))]
)
def test_stock_kernels_are_counted_with_what_they_bear(top_level: str, modes: tuple[str, ...]) -> None:
    pipeline = OverheadPipeline(OverheadRequest("x"), Quiet())
    facts = replace(FACTS, facts={"pae_top_level": replace(PAE, value=top_level)})
    vars(pipeline)["series"] = SimpleNamespace(facts=facts)
    assert pipeline.modes == modes
    assert pipeline.flavour.highmem == modes[-1]


def test_two_processors_are_refused() -> None:
    with pytest.raises(UserError, match="'smp' cannot be counted"):
        OverheadPipeline(OverheadRequest("x", flavour="smp"), Quiet()).flavour  # noqa: B018
