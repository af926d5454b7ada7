"""The page of a run in a real browser: plot, filter, keyboard, phone, dark mode, no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from hamkit.publish.dist import PublishResult

from .browser import emulate, logged, needs_browser, started
from .sample_run import COURSE, HOSTILE, comparison, published

pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> PublishResult:
    return published(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> PublishResult:
    return published(tmp_path_factory.mktemp("bad"), bad=True)


def show(browser: Chrome, run: PublishResult, *, width: int = 1280, dark: bool = False) -> None:
    emulate(browser, width=width, dark=dark)
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
