"""The page of a run in a real browser: plot, filter, keyboard, phone, dark mode, no network."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from hamkit.progress import Quiet
from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.publish.dist import PublishRequest, PublishResult, publish
from hamkit.publish.record import RunRecord, RunStart
from hamkit.publish.source import Source
from hamkit.stage import Artifact, StageResult, Verdict

CONSOLE = Path(__file__).parent.parent / "data" / "publish" / "console.log"
DRIVER = "/usr/bin/chromedriver"
MIB = 1024 * 1024
BLOCK_PAGES = 128 * MIB // 4096
BOOT_KIB = 468_556
HOSTILE = '<script>document.title = "taken"</script><img src=x onerror=alert(1)>'

pytestmark = pytest.mark.skipif(
    not (Path(DRIVER).exists() and shutil.which("chromium")),
    reason="needs a browser: apt-get install chromium chromium-driver",
)


@dataclass(frozen=True)
class Act:
    """A step of the sample run: what it does, its result, blocks there are after it, MemFree, new status."""

    label: str
    result: str
    blocks: int
    free_mib: int
    status: tuple[str, ...]


def line(start: int, mib: int, state: str) -> str:
    return f"{start:016x}-{start + mib * MIB - 1:016x}  rw {state}"


FIRST = line(0x20000000, 128, "ENABLED")
HOLE = line(0x28000000, 384, "ENABLED")
APART = line(0x40000000, 256, "ENABLED")
NEXT = line(0x50000000, 128, "ENABLED")
TAIL = line(0x80000000, 256, "FAILED")
BEYOND = line(0x1000000000, 128, "FAILED")
ALL_GOOD = (FIRST, HOLE, APART, NEXT)

COURSE = (
    Act("boot", "ok", 0, 429, ()),
    Act("add 0x20000000 + 128M", "ok", 1, 554, (FIRST,)),
    Act("add 0x40000000 + 256M", "ok", 3, 805, (FIRST, APART)),
    Act("add 0x50000000 + 128M", "ok", 4, 931, (FIRST, APART, NEXT)),
    Act("add 0x20000000 + 128M", "ok", 4, 931, (FIRST, APART, NEXT)),
    Act("add 0x20000000 + 640M", "ok", 7, 1307, ALL_GOOD),
    Act("add 0x61000000 + 128M", "EINVAL", 7, 1307, ALL_GOOD),
    Act("add 0x80000000 + 256M", "EEXIST", 7, 1306, (*ALL_GOOD, TAIL)),
    Act("add 0x1000000000 + 128M", "ENODEV", 7, 1306, (*ALL_GOOD, TAIL, BEYOND)),
    Act("use 640M", "ok", 7, 1299, (*ALL_GOOD, TAIL, BEYOND)),
)


def view(number: int, act: Act) -> StepView:
    total = BOOT_KIB + act.blocks * 128 * 1024
    normal = act.blocks * BLOCK_PAGES
    zones = (
        ("DMA", 4095, 3998, 3840),
        ("DMA32", 126976, 126976, BOOT_KIB // 4 - 3840),
        ("Normal", normal if act.blocks < 3 else 10 * BLOCK_PAGES, normal, normal),
        ("Movable", 0, 0, 0),
    )
    return StepView(number, act.label, act.result, total, act.free_mib * 1024, total, zones, act.status)


def checks_of(step: StepView) -> list[Check]:
    exact = [
        ("result", step.result),
        ("MemTotal, KiB", str(step.mem_total_kib)),
        ("zone DMA32 present, pages", str(step.zones[1][2])),
        ("zone Normal spanned, pages", str(step.zones[2][1])),
        ("zone Normal present, pages", str(step.zones[2][2])),
        ("zone Normal managed, pages", str(step.zones[2][3])),
        ("/proc/ham/status", "\n".join(step.status) or "(empty)"),
    ]
    checks = [Check(step.step, title, value, value, Verdict.PASS) for title, value in exact]
    allowance = "8192: pages on their way between the allocator's lists are counted late"
    spare = Check(
        step.step, "MemFree falls short of MemTotal by, KiB", "40000", "39188", Verdict.PASS, allowance
    )
    return [*checks, spare]


def comparison(bad: bool) -> Comparison:
    steps = [view(i, act) for i, act in enumerate(COURSE)]
    if bad:
        steps[5] = replace(
            steps[5], mem_total_kib=steps[5].mem_total_kib - 128 * 1024, label=f"add {HOSTILE}"
        )
    checks = [check for step in steps for check in checks_of(step)]
    if bad:
        wrong = Check(
            5, "MemTotal, KiB", str(steps[5].expected_total_kib), str(steps[5].mem_total_kib), Verdict.FAIL
        )
        unseen = Check(9, "pages verified", "163840", HOSTILE, Verdict.NOT_RUN)
        checks = [*checks, wrong, unseen]
    return Comparison(tuple(checks), tuple(steps))


def made(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(hashlib.shake_256(name.encode()).digest(size))
    return path


def published(folder: Path, bad: bool = False) -> PublishResult:
    """A sample run through the real record and the real publish."""
    planned = ("image", "srpm", "check", "build", "boot", "prove", "publish")
    argv = ("release", "--distro", "debian-12")
    commit = Source(commit=hashlib.sha1(b"sample").hexdigest(), modified=bad)
    record = RunRecord(folder / "result.json", RunStart("debian-12", argv, planned, commit))
    srpm = made(folder, "ham-0.1.0-1.src.rpm", 48_213)
    rpms = [
        made(folder, f"{name}-0.1.0-1.x86_64.rpm", size)
        for name, size in (("ham-kmod", 31_040), ("hamctl", 412_880))
    ]
    console = folder / "console.log"
    console.write_text(CONSOLE.read_text() + (f"[    9.9] {HOSTILE}\n" if bad else ""))
    image = "sha256:" + hashlib.sha256(b"image").hexdigest()
    record.learn(
        kernel_release="6.1.0-50-amd64",
        tools={"rpmbuild": "4.18.0", "gcc": "12.2.0", "qemu-system-x86_64": "7.2.22", "docker": "29.1.0"},
        images={"hamkit/debian-12": image},
        processes=[["rpmbuild", "-bs", "--define", "_topdir /build", "ham.spec"]],
    )
    outcome = Verdict.FAIL if bad else Verdict.PASS
    for stage in (
        StageResult(
            "image", Verdict.PASS, 0.41, "debian:12 with what the build needs", {"recipe": image}, cached=True
        ),
        StageResult(
            "srpm", Verdict.PASS, 2.3, "ham-0.1.0-1.src.rpm", {"ham-src": image[7:]}, (Artifact.of(srpm),)
        ),
        StageResult("check", Verdict.PASS, 0.12, "14 rules of rpm 4.18.0"),
        StageResult(
            "build",
            Verdict.PASS,
            31.7,
            "2 packages",
            {srpm.name: Artifact.of(srpm).sha256},
            tuple(Artifact.of(rpm) for rpm in rpms),
            {"kernel": "6.1.0-50-amd64", "warnings": 0},
        ),
        StageResult(
            "boot", Verdict.PASS, 24.9, "powered down after the scenario", outputs=(Artifact.of(console),)
        ),
        StageResult("prove", outcome, 0.05, "2 checks do not hold" if bad else "every check holds"),
    ):
        record.add(stage)
    record.compare(comparison(bad))
    files = {path.name: path for path in (srpm, *rpms, console)}
    return publish(PublishRequest(record.result, files, folder / "dist"), Quiet())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    options = ChromeOptions()
    profile = tmp_path_factory.mktemp("profile")
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> PublishResult:
    return published(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> PublishResult:
    return published(tmp_path_factory.mktemp("bad"), bad=True)


def logged(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What the browser has logged since it was asked last: ``browser`` (its console) or ``performance``."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def show(browser: Chrome, run: PublishResult, *, width: int = 1280, dark: bool = False) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
    for kind in ("browser", "performance"):
        logged(browser, kind)
    browser.get(run.page.as_uri())


def visible_rows(browser: Chrome) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, "#checks tbody tr[data-verdict]")
    return [row.get_attribute("data-verdict") or "" for row in rows if row.is_displayed()]


def button(browser: Chrome, what: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, f"#filter button[data-show={what}]")


def test_plot_has_a_point_for_every_step(browser: Chrome, good: PublishResult) -> None:
    show(browser, good)
    for points in (".area .total-point", ".area .free-point", ".area a.col", "#steps .step"):
        assert len(browser.find_elements(By.CSS_SELECTOR, points)) == len(COURSE), points
    tops = [
        float(p.get_attribute("cy") or "nan")
        for p in browser.find_elements(By.CSS_SELECTOR, ".area .total-point")
    ]
    blocks = [act.blocks for act in COURSE]
    assert [a > b for a, b in pairwise(tops)] == [a < b for a, b in pairwise(blocks)]
    assert not browser.find_elements(By.CSS_SELECTOR, ".total-point.off")


def test_table_shows_every_check(browser: Chrome, good: PublishResult) -> None:
    show(browser, good)
    due = comparison(bad=False).checks
    rows = browser.find_elements(By.CSS_SELECTOR, "#checks tbody tr[data-verdict]")
    assert len(rows) == len(due)
    for row, check in list(zip(rows, due, strict=True))[::9]:
        for text in (check.title, check.expected, check.seen, check.allowance, check.verdict.value):
            assert text in row.text
    assert browser.find_element(By.CSS_SELECTOR, ".stamp").text.lower() == "✓ pass"


def test_filter_by_click(browser: Chrome, bad: PublishResult) -> None:
    show(browser, bad)
    everything = visible_rows(browser)
    assert sorted(set(everything)) == ["fail", "not-run", "pass"]
    button(browser, "bad").click()
    assert visible_rows(browser) == ["fail", "not-run"]
    assert browser.find_element(By.ID, "shown").text == f"2 of {len(everything)} shown"
    assert button(browser, "bad").get_attribute("aria-pressed") == "true"
    button(browser, "all").click()
    assert visible_rows(browser) == everything


def test_filter_by_keyboard(browser: Chrome, bad: PublishResult) -> None:
    show(browser, bad)
    browser.execute_script("arguments[0].focus()", button(browser, "all"))
    ActionChains(browser).send_keys(Keys.TAB, Keys.SPACE).perform()
    focused = browser.switch_to.active_element
    assert focused.get_attribute("data-show") == "bad"
    assert focused.value_of_css_property("outline-style") == "solid"
    assert visible_rows(browser) == ["fail", "not-run"]
    ActionChains(browser).key_down(Keys.SHIFT).send_keys(Keys.TAB).key_up(Keys.SHIFT).send_keys(
        Keys.ENTER
    ).perform()
    assert len(visible_rows(browser)) > 2


def test_filter_says_so_when_nothing_is_left(browser: Chrome, good: PublishResult) -> None:
    show(browser, good)
    button(browser, "bad").click()
    assert visible_rows(browser) == []
    assert browser.find_element(By.ID, "none").text == "Every check passed."


def test_plot_by_keyboard(browser: Chrome, good: PublishResult) -> None:
    show(browser, good)
    column = browser.find_elements(By.CSS_SELECTOR, ".area a.col")[5]
    tip = column.find_element(By.CSS_SELECTOR, ".tip")
    assert tip.value_of_css_property("visibility") == "hidden"
    ActionChains(browser).send_keys(Keys.TAB).perform()
    browser.execute_script("arguments[0].focus()", column)
    assert tip.value_of_css_property("visibility") == "visible"
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    assert browser.current_url.endswith("#step-5")


def test_broken_run_explains_itself(browser: Chrome, bad: PublishResult) -> None:
    show(browser, bad)
    why = browser.find_element(By.CSS_SELECTOR, ".why")
    assert "prove: fail" in why.text
    assert len(browser.find_elements(By.CSS_SELECTOR, ".total-point.off")) == 1
    why.find_element(By.CSS_SELECTOR, "a[data-show=bad]").click()
    assert visible_rows(browser) == ["fail", "not-run"]


def test_hostile_text_is_only_text(browser: Chrome, bad: PublishResult) -> None:
    show(browser, bad)
    assert browser.title == "Hot-add memory on debian-12: fail"
    assert len(browser.find_elements(By.TAG_NAME, "script")) == 1
    assert not browser.find_elements(By.TAG_NAME, "img")
    assert HOSTILE in browser.find_element(By.CSS_SELECTOR, ".console").text
    assert HOSTILE in browser.find_element(By.CSS_SELECTOR, "#steps").text


@pytest.mark.parametrize("which", ["good", "bad"])
def test_nothing_is_fetched_and_nothing_complains(
    browser: Chrome, request: pytest.FixtureRequest, which: str
) -> None:
    run: PublishResult = request.getfixturevalue(which)
    show(browser, run)
    button(browser, "bad").click()
    assert logged(browser, "browser") == []
    events = [json.loads(entry["message"])["message"] for entry in logged(browser, "performance")]
    urls = {e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"}
    assert run.page.as_uri() in urls
    assert {url for url in urls if not url.startswith("data:")} == {run.page.as_uri()}


@pytest.mark.parametrize("width", [320, 360, 768])
@pytest.mark.parametrize("which", ["good", "bad"])
def test_no_width_scrolls_the_page_sideways(
    browser: Chrome, request: pytest.FixtureRequest, which: str, width: int
) -> None:
    show(browser, request.getfixturevalue(which), width=width)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true;")
    inner, scroll = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert inner == width
    assert scroll <= width
    button(browser, "bad").click()
    assert len(visible_rows(browser)) == (2 if which == "bad" else 0)


CONTRASTS = """
const numbers = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
const light = (c) => {
  const linear = (v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const [r, g, b] = c.slice(0, 3).map((v) => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b;
};
const behind = (e) => {
  for (; e; e = e.parentElement) {
    const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c;
  }
  return [255, 255, 255];
};
const found = [];
for (const e of document.body.querySelectorAll("*")) {
  if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  if (e.tagName === "SCRIPT" || !e.getClientRects().length) continue;
  const style = getComputedStyle(e);
  const ink = numbers(e.ownerSVGElement ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(e))].sort((x, y) => y - x);
  found.push([(a + .05) / (b + .05), e.outerHTML.slice(0, 80)]);
}
return found;
"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_stands_out(browser: Chrome, bad: PublishResult, dark: bool) -> None:
    show(browser, bad, dark=dark)
    page = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    channels = [int(part) for part in page[page.index("(") + 1 : -1].split(",")[:3]]
    assert (max(channels) < 64) is dark
    found = browser.execute_script(CONTRASTS)
    assert len(found) > 300
    assert [entry for entry in found if entry[0] < 4.5] == []


def test_every_link_leads_somewhere(browser: Chrome, good: PublishResult) -> None:
    show(browser, good)
    links = [a.get_dom_attribute("href") or "" for a in browser.find_elements(By.CSS_SELECTOR, "a")]
    inside = [link.removeprefix("#") for link in links if link.startswith("#")]
    outside = {link for link in links if not link.startswith("#")}
    assert inside
    assert all(browser.find_elements(By.ID, name) for name in inside)
    files = {p.name for p in good.folder.iterdir()}
    assert outside == files - {"index.html"}


def test_digests_have_room_on_a_phone(browser: Chrome, good: PublishResult) -> None:
    show(browser, good, width=360)
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true;")
    digests = [
        d.rect["width"] for d in browser.find_elements(By.CSS_SELECTOR, "dd.digest, dd .digest, td.digest")
    ]
    assert len(digests) > 10
    assert min(digests) > 180


def test_tables_are_read_as_tables(browser: Chrome, good: PublishResult) -> None:
    show(browser, good, width=360)
    for table in browser.find_elements(By.TAG_NAME, "table"):
        heads = table.find_elements(By.CSS_SELECTOR, "thead th")
        assert [h.get_attribute("scope") for h in heads] == ["col"] * len(heads)
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr:not(#none)")
        assert all(len(r.find_elements(By.CSS_SELECTOR, "th[scope=row]")) == 1 for r in rows)
        assert table.aria_role == "table"
