"""The page's text: plot geometry, console excerpt, wording, escaping, runs that ended early."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.publish import page
from hamkit.publish.console import LAST_LINES, LONGEST_LINE, MOST_LINES, excerpt
from hamkit.publish.page import render_page
from hamkit.publish.plot import HEIGHT, plot
from hamkit.publish.record import RunRecord, RunResult, RunStart, StepRecord, ZoneRecord, comparison_record
from hamkit.stage import StageResult, Verdict

CONSOLE = Path(__file__).parent.parent / "data" / "publish" / "console.log"
MIB = 1024


def step(number: int, total_mib: int, expected_mib: int | None = None) -> StepRecord:
    due = total_mib if expected_mib is None else expected_mib
    zones = (
        ZoneRecord(name="DMA", spanned=4095, present=3998, managed=0),
        ZoneRecord(name="DMA32", spanned=1, present=1, managed=256 * 256),
        ZoneRecord(name="Normal", spanned=1, present=1, managed=(total_mib - 256) * 256),
    )
    return StepRecord(
        step=number,
        label=f"step {number}",
        result="0",
        mem_total_kib=total_mib * MIB,
        mem_free_kib=128 * MIB,
        expected_total_kib=due * MIB,
        zones=zones,
        status=(),
    )


def test_plot_to_scale() -> None:
    drawn = plot((step(0, 256), step(1, 512), step(2, 768, 1024)))
    assert drawn is not None
    assert [tick.mib for tick in drawn.ticks] == [0, 256, 512, 768, 1024]
    assert (drawn.ticks[0].y, drawn.ticks[-1].y) == (HEIGHT, 0)
    quarter = HEIGHT / 4
    assert [c.total_y for c in drawn.columns] == [3 * quarter, 2 * quarter, quarter]
    assert [c.free_y for c in drawn.columns] == [3.5 * quarter] * 3
    assert [c.expected_y for c in drawn.columns] == [3 * quarter, 2 * quarter, 0]
    assert [c.agrees for c in drawn.columns] == [True, True, False]
    assert [round(c.centre, 1) for c in drawn.columns] == [16.7, 50.0, 83.3]


def test_plot_stacks_the_zones_that_manage_pages() -> None:
    drawn = plot((step(0, 256), step(1, 512)))
    assert drawn is not None
    assert drawn.zones == ("DMA32", "Normal")
    segments = drawn.columns[1].segments
    assert segments[0].y + segments[0].height == pytest.approx(HEIGHT)
    assert segments[1].y + segments[1].height == pytest.approx(segments[0].y)
    assert segments[1].y == drawn.columns[1].total_y


def test_plot_of_the_model_is_a_stair() -> None:
    drawn = plot((step(0, 256), step(1, 256), step(2, 512)))
    assert drawn is not None
    upright = [stroke for stroke in drawn.model if stroke.x1 == stroke.x2]
    assert len(drawn.model) - len(upright) == 3
    assert [round(stroke.x1, 1) for stroke in upright] == [66.7]


@pytest.mark.parametrize("total", [1, 3, 511, 513, 100_000, 16 * 1024 * 1024])
def test_plot_axis_covers_any_memory(total: int) -> None:
    drawn = plot((step(0, max(total, 256)),))
    assert drawn is not None
    assert drawn.ticks[-1].mib >= max(total, 256)
    assert 3 <= len(drawn.ticks) <= 9
    assert drawn.columns[0].total_y >= 0


def test_plot_of_nothing() -> None:
    assert plot(()) is None


def test_excerpt_of_a_real_console() -> None:
    shown = excerpt(CONSOLE.read_text())
    text = [line.text for line in shown.lines]
    kinds = {line.kind for line in shown.lines}
    assert kinds == {"boot", "ours", ""}
    assert any("Command line:" in t for t in text)
    assert sum("mhp_sim:" in t for t in text) == 8
    assert not any("\x1b" in t for t in text)
    assert sum(line.left_out + 1 for line in shown.lines) + shown.after == shown.total
    assert shown.lines[-1].number == shown.total


def test_excerpt_marks_trouble_and_bounds() -> None:
    panic = "[ 1.0] Kernel panic - not syncing: x"
    shown = excerpt("\n".join(["noise"] * 50 + [panic] + ["noise"] * 50 + ["y" * 5000]) + "\n")
    assert [line.text for line in shown.lines if line.kind == "trouble"] == [panic]
    assert len(shown.lines) == 1 + LAST_LINES
    assert shown.lines[0].left_out == 50
    assert len(shown.lines[-1].text) == LONGEST_LINE + 1
    assert len(excerpt("ham: x\n" * 9999).lines) == MOST_LINES
    assert excerpt("").lines == ()


@pytest.mark.parametrize(
    ("shown", "due"),
    [
        (page.mib(1_386_060), "1\N{NARROW NO-BREAK SPACE}353.6"),
        (page.signed_mib(0), "±0"),
        (page.signed_mib(3), "+3\N{NARROW NO-BREAK SPACE}KiB"),
        (page.signed_mib(-131072), "\N{MINUS SIGN}128.0\N{NARROW NO-BREAK SPACE}MiB"),
        (page.human_bytes(1023), "1023\N{NARROW NO-BREAK SPACE}B"),
        (page.human_bytes(1024), "1.0\N{NARROW NO-BREAK SPACE}KiB"),
        (page.human_bytes(5 << 40), "5120.0\N{NARROW NO-BREAK SPACE}GiB"),
        (page.human_seconds(59.94), "59.9\N{NARROW NO-BREAK SPACE}s"),
        (page.human_seconds(59.97), "1\N{NARROW NO-BREAK SPACE}min 00\N{NARROW NO-BREAK SPACE}s"),
        (page.human_seconds(302), "5\N{NARROW NO-BREAK SPACE}min 02\N{NARROW NO-BREAK SPACE}s"),
        (page.kind("x.src.rpm"), "source package"),
        (page.kind("x.rpm"), "package"),
        (page.kind("x.spdx"), "spdx"),
    ],
)
def test_wording(shown: str, due: str) -> None:
    assert shown == due


class Reader(HTMLParser):
    """Collects elements, attributes and text, and insists that elements nest."""

    VOID = frozenset({"meta", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


HOSTILE = "</pre></script><script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}"


def hostile_result(tmp_path: Path) -> RunResult:
    """A run in which every free text is hostile."""
    record = RunRecord(tmp_path / "result.json", RunStart("debian-12", (HOSTILE,), ()))
    record.learn(
        kernel_release=HOSTILE, tools={HOSTILE: HOSTILE}, images={HOSTILE: HOSTILE}, processes=[[HOSTILE]]
    )
    facts = {HOSTILE: HOSTILE}
    record.add(StageResult(HOSTILE, Verdict.FAIL, 1.0, HOSTILE, {HOSTILE: HOSTILE}, facts=facts))
    zones = ((HOSTILE, 1, 1, 1),)
    steps = tuple(StepView(i, HOSTILE, HOSTILE, 4, 4, 4, zones, (HOSTILE,) * (2 - i)) for i in range(3))
    checks = tuple(Check(i, HOSTILE, HOSTILE, HOSTILE, Verdict.FAIL, HOSTILE) for i in range(3))
    record.compare(Comparison(checks, steps))
    return record.result


def test_hostile_text_is_harmless_everywhere(tmp_path: Path) -> None:
    text = render_page(hostile_result(tmp_path), f"ham: {HOSTILE}\n")
    seen = Reader(text)
    assert seen.tags.count("script") == 1
    assert "img" not in seen.tags
    assert {name for name, _ in seen.attributes if name.startswith("on")} == set()
    assert "".join(seen.text).count(HOSTILE) > 20


def test_page_is_one_file_without_network(tmp_path: Path) -> None:
    seen = Reader(render_page(hostile_result(tmp_path), None))
    loaded = [(n, v) for n, v in seen.attributes if n in {"src", "srcset", "data"}]
    assert loaded == []
    links = [v for n, v in seen.attributes if n == "href" and not v.startswith("#")]
    evidence = {"result.json", "SHA256SUMS", "reproduce.sh", "sbom.cdx.json", "provenance.json"}
    assert set(links) == {"data:,"} | evidence
    policy = next(v for _, v in seen.attributes if v.startswith("default-src 'none'"))
    assert "unsafe" not in policy
    assert "http:" not in "".join(seen.text)


def test_run_that_ended_early_says_what_is_missing(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "result.json", RunStart("debian-12", ("release",), ("image", "boot")))
    record.add(StageResult("image", Verdict.NOT_RUN, 0.0, "Docker Engine is not reachable"))
    seen = "".join(Reader(render_page(record.result, None)).text)
    for words in (
        "stage image: not run: Docker Engine is not reachable",
        "stage boot: not run: not reached",
        "The run did not come to adding memory.",
        "There is no console log",
        "Nothing was held against the model.",
    ):
        assert words in " ".join(seen.split())


def test_comparison_without_checks_is_explained(tmp_path: Path) -> None:
    record = RunRecord(tmp_path / "result.json", RunStart("debian-12", ("release",), ()))
    record.add(StageResult("prove", Verdict.PASS, 0.1))
    record.compare(Comparison((), ()))
    assert comparison_record(Comparison((), ())).verdict is Verdict.FAIL
    assert "nothing was held against the model" in "".join(Reader(render_page(record.result, None)).text)


def test_same_result_gives_the_same_page(tmp_path: Path) -> None:
    result = hostile_result(tmp_path)
    assert render_page(result, "x") == render_page(result, "x")
