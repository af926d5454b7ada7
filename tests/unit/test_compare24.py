"""A real run of 2.4.13 held against the model, and the same run with one thing wrong."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hamkit import scenarios
from hamkit.errors import Failure
from hamkit.kernel.probing import Value
from hamkit.model.extents import MIB
from hamkit.model.i386 import ExtraFree, Highmem, Kernel, MemOption
from hamkit.model.scenario import Line, Scenario
from hamkit.prove.bootlog24 import boot_facts, model_kernel
from hamkit.prove.compare24 import compare
from hamkit.prove.comparison import Check
from hamkit.prove.globals24 import Seen
from hamkit.prove.report24 import snapshots
from hamkit.stage import Verdict

from .test_kernel_flavours import FACTS

DATA = Path(__file__).parent.parent / "data" / "model"


def captured(name: str) -> str:
    return gzip.decompress((DATA / f"regions-2.4.13.{name}.gz").read_bytes()).decode()


CONSOLE, REPORT, COUNTERS = captured("console"), captured("report"), json.loads(captured("counters"))
SEEN = Seen.of(COUNTERS)
SCENARIO = scenarios.load(DATA / "regions-2.4.13.toml", Line.LINUX24)


def failed(
    scenario: Scenario = SCENARIO, console: str = CONSOLE, report: str = REPORT, seen: Seen = SEEN
) -> list[Check]:
    checks = compare(scenario, console, report, seen).checks
    return [check for check in checks if check.verdict is not Verdict.PASS]


def titles(checks: list[Check]) -> set[tuple[int, str]]:
    return {(check.step, check.title) for check in checks}


def with_global(step: int, name: str, more: int) -> Seen:
    counters = SEEN.counters[step]
    changed = replace(counters, globals={**counters.globals, name: counters.globals[name] + more})
    return replace(SEEN, counters={**SEEN.counters, step: changed})


def in_step(number: int, good: str, bad: str) -> str:
    """The report with the first ``good`` of one step replaced."""
    parts = re.split(r"(?=@@ham begin )", REPORT)
    assert good in parts[number + 1]
    parts[number + 1] = parts[number + 1].replace(good, bad, 1)
    return "".join(parts)


def test_the_run_agrees_in_every_number() -> None:
    result = compare(SCENARIO, CONSOLE, REPORT, SEEN)
    assert failed() == []
    assert result.verdict is Verdict.PASS
    assert len(result.checks) > 200
    assert [view.step for view in result.steps] == list(range(13))
    assert result.steps[4].status[0].endswith("rw ENABLED")
    assert all(not check.allowance for check in result.checks if "after use" not in check.title)


@pytest.mark.parametrize(
    ("step", "name", "more"),
    [(1, "numnodes", 1), (4, "totalram_pages", -1), (2, "highend_pfn", 512), (9, "num_physpages", 512)],
)
def test_a_global_that_is_wrong_is_named(step: int, name: str, more: int) -> None:
    assert titles(failed(seen=with_global(step, name, more))) == {(step, name)}


def test_what_meminfo_prints_is_held_against_the_model_too() -> None:
    report = in_step(3, "580588 kB", "580592 kB")
    assert titles(failed(report=report)) == {(3, "HighTotal")}


def test_a_zone_that_is_not_given_back() -> None:
    counters = SEEN.counters[12]
    zones = tuple(replace(z, free=z.free - 1000) if z.start == 0x110000 else z for z in counters.zones)
    seen = replace(SEEN, counters={**SEEN.counters, 12: replace(counters, zones=zones)})
    assert {title for _, title in titles(failed(seen=seen))} == {
        f"free pages of HighMem from page {0x110000}, after use"
    }


def test_what_stays_in_the_swap_cache_is_given_back_too() -> None:
    counters = SEEN.counters[12]
    zones = tuple(replace(z, free=z.free - 1000) if z.start == 0x110000 else z for z in counters.zones)
    seen = replace(SEEN, counters={**SEEN.counters, 12: replace(counters, zones=zones)})
    title = (12, "free pages of all zones and the swap cache, after use")
    for pages, wrong in ((1000, set()), (10, {title}), (2000, {title})):
        report = in_step(12, "SwapCached:          0 kB", f"SwapCached: {pages * 4} kB")
        assert titles(failed(report=report, seen=seen)) == wrong
    head, mark, tail = REPORT.partition("@@ham begin 12")
    tail = tail.replace("SwapCached:", "Other:").replace("SwapTotal:           0 kB", "SwapTotal: 9000 kB")
    for kib, wrong in ((4200, set()), (40, {title})):  # as page cache, before it had a line of its own
        report = head + mark + re.sub(r"(?m)^Cached: +\d+", f"Cached: {kib}", tail, count=1)
        assert titles(failed(report=report, seen=seen)) == wrong


def test_watermarks_of_a_new_zone_are_looked_at() -> None:
    counters = SEEN.counters[1]
    zones = tuple(replace(z, marks=(1, 2, 3)) if z.node else z for z in counters.zones)
    seen = replace(SEEN, counters={**SEEN.counters, 1: replace(counters, zones=zones)})
    assert titles(failed(seen=seen)) == {(1, "zones")}


def test_refusals_status_and_warnings() -> None:
    assert (8, "refusals in the kernel's log") in titles(
        failed(report=in_step(8, "memory (30)", "memory (17)"))
    )
    own = in_step(9, "mem_hotadd: 000000001fe00000", "mem_hotadd 000000001fe00000")
    assert titles(failed(report=own)) == {(9, "refusals in the kernel's log, by mem_hotadd")}
    assert (2, "/proc/ham/status") in titles(failed(report=in_step(2, "rw ENABLED", "rw PRESENT")))
    oops = in_step(5, "@@ham file dmesg\n", "@@ham file dmesg\nkernel BUG at page_alloc.c:92!\n")
    assert (5, "kernel warnings") in titles(failed(report=oops))


def test_more_memory_is_reserved_than_the_kernel_said() -> None:
    console = re.sub(r"(\d+)k reserved", lambda m: f"{int(m[1]) + 4}k reserved", CONSOLE)
    assert (0, "totalram_pages") in titles(failed(console=console))


def test_counters_that_were_not_read() -> None:
    counters = {step: now for step, now in SEEN.counters.items() if step != 7}
    with pytest.raises(Failure, match="not read after step 7"):
        snapshots(REPORT, replace(SEEN, counters=counters))


def test_a_counter_file_gives_what_was_read() -> None:
    assert Seen.of(json.loads(json.dumps(SEEN.facts()))) == SEEN


def test_what_the_kernel_said_at_boot() -> None:
    facts = boot_facts(CONSOLE, ())
    assert facts.window is not None
    assert facts.window.reach == 8192 * MIB
    assert facts.low_pages == 128 * MIB // 4096
    assert facts.freed_kib > 0
    assert [entry.kind for entry in facts.firmware].count("usable") == 3


def test_maps_of_the_first_kernels_tell_the_size_first() -> None:
    pairs = [(e.extent.start, e.extent.size, e.kind) for e in boot_facts(CONSOLE, ()).firmware]
    old = "".join(f" BIOS-e820: {size:016x} @ {start:016x} ({kind})\n" for start, size, kind in pairs)
    rest = "\n".join(line for line in CONSOLE.splitlines() if "BIOS-e820" not in line)
    assert boot_facts(old + rest, ()) == boot_facts(CONSOLE, ())


@pytest.mark.parametrize(
    ("cut", "words"), [("BIOS-e820", "no firmware map"), ("Memory: ", "no Memory: line")]
)
def test_a_console_that_does_not_tell(cut: str, words: str) -> None:
    with pytest.raises(Failure, match=words):
        boot_facts("\n".join(line for line in CONSOLE.splitlines() if cut not in line), ())


def test_the_model_s_kernel_is_the_tree_s() -> None:
    told: dict[str, Value] = {
        "mem_option": "limit",
        "max_order": 11,
        "zone_balance_ratio": "128 64 32",
        "page_wait": "zone",
    }
    more: dict[str, Value] = {
        "zone_balance_min": "20 20 10",
        "zone_balance_max": "none",
        "lower_zone_reserve_ratio": "256 32",
    }
    fact = FACTS.facts["pae_top_level"]
    facts = replace(FACTS, facts={n: replace(fact, value=v) for n, v in (told | more).items()})
    kernel = model_kernel(facts, {"page": 48, "wait_queue": 12}, "4G", Kernel(reserve=64))
    assert kernel == Kernel(
        Highmem.G4, 64, None, 48, MemOption.LIMIT, 11, (128, 64, 32), 10, 255, (256, 32), 12
    )
    plain = model_kernel(replace(FACTS, facts={}), {}, "64G", Kernel())
    assert plain == Kernel()


def test_tables_of_a_kernel_with_pae_and_of_one_without() -> None:
    """RHEL 3's, as its probes tell them."""
    told: dict[str, Value] = {
        "max_order": 11,
        "zone_balance_ratio": "4097 128 128 with CONFIG_HIGHMEM64G, else 128 128 128",
        "zone_balance_min": "0 20 20 with CONFIG_HIGHMEM64G, else 20 20 20",
        "zone_balance_max": "0 255 255 with CONFIG_HIGHMEM64G, else 255 255 255",
        "zone_extrafree_ratio": "4097 512 0 with CONFIG_HIGHMEM64G, else 128 512 0",
        "zone_extrafree_max": "0 1024 0 with CONFIG_HIGHMEM64G, else 1024 1024 0",
        "dma_zone": "1/20 of memory, at least 2048 with CONFIG_HIGHMEM64G, else 4096 pages",
    }
    fact = FACTS.facts["pae_top_level"]
    facts = replace(FACTS, facts={n: replace(fact, value=v) for n, v in told.items()})
    pae, plain = (model_kernel(facts, {}, highmem, Kernel()) for highmem in ("64G", "4G"))
    assert pae.extra_free == ExtraFree((4097, 512, 0), (0, 1024, 0), (0, 20, 20), (0, 255, 255))
    assert plain.extra_free == ExtraFree((128, 512, 0), (1024, 1024, 0), (20, 20, 20), (255, 255, 255))
    assert (pae.ratios, plain.ratios) == ((4097, 128, 128), (128, 128, 128))
    assert (pae.dma_share, pae.dma_least) == (20, 2048)
    assert (plain.dma_share, plain.dma_least) == (20, 4096)
