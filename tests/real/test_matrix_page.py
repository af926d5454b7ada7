"""The matrix page in a real browser: search, filter, keyboard, what stands behind a cell, phone, dark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import ActionChains, Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from hamkit.matrix.page import render_matrix_page
from tests.unit.matrix_sample import row, sample

from .browser import emulate, logged, needs_browser, started

pytestmark = needs_browser
SECONDS = 20.0


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    yield from started(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = (row("linux-2.4.13", fails="boots"), row("linux-2.4.20"), row("rhel3", unsupported="facts"))
    path = tmp_path_factory.mktemp("matrix") / "index.html"
    path.write_text(render_matrix_page(sample(), sample("2026-11-24T12:00:00+00:00", *rows)))
    return path


def show(browser: Chrome, page: Path, fragment: str = "", *, width: int = 1280, dark: bool = False) -> None:
    emulate(browser, width=width, dark=dark)
    for kind in ("browser", "performance"):
        logged(browser, kind)
    browser.get("about:blank")
    browser.get(f"{page.as_uri()}{fragment}")


def rows(browser: Chrome) -> list[str]:
    found = browser.find_elements(By.CSS_SELECTOR, "tbody tr[data-row]")
    return [r.get_dom_attribute("data-row") or "" for r in found if r.is_displayed()]


def focused(browser: Chrome) -> tuple[str, str]:
    element = browser.switch_to.active_element
    return element.get_dom_attribute("data-row") or "", element.get_dom_attribute("data-column") or ""


def press(browser: Chrome, *keys: str) -> None:
    for key in keys:
        ActionChains(browser).send_keys(key).perform()


def open_cell(browser: Chrome, name: str, column: str) -> str:
    """Click a cell; the text of what opened."""
    selector = f'button.cell[data-row="{name}"][data-column="{column}"]'
    browser.find_element(By.CSS_SELECTOR, selector).click()
    dialog = browser.find_element(By.ID, "cell")
    assert dialog.is_displayed()
    return dialog.text


def test_nothing_comes_from_outside_and_nothing_complains(browser: Chrome, page: Path) -> None:
    show(browser, page)
    messages = [json.loads(entry["message"])["message"] for entry in logged(browser, "performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
    assert logged(browser, "browser") == []
    assert browser.title.startswith("Where hot-add memory works")  # no script of a log has run


def test_search_and_filter(browser: Chrome, page: Path) -> None:
    show(browser, page)
    everything = rows(browser)
    assert len(everything) == 5
    search = browser.find_element(By.ID, "search")
    search.send_keys("2.4.2")
    assert rows(browser) == ["linux-2.4.20"]
    search.clear()
    search.send_keys("not covered")  # a reason is searched too
    assert rows(browser) == ["rhel3"]
    search.clear()
    search.send_keys(Keys.SPACE)
    for what, wanted in (
        ("fail", ["linux-2.4.20", "linux-2.4.31"]),
        ("unsupported", ["rhel3"]),
        ("changed", ["linux-2.4.13", "linux-2.4.20"]),
        ("all", everything),
    ):
        browser.find_element(By.CSS_SELECTOR, f'button[data-show="{what}"]').click()
        assert rows(browser) == wanted, what
        assert browser.find_element(By.ID, "shown").text == f"{len(wanted)} of 5 rows"


def test_keyboard_alone(browser: Chrome, page: Path) -> None:
    show(browser, page)
    browser.execute_script("document.querySelector('button.cell').focus()")
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused(browser) == ("linux-2.4.20", "patch")
    press(browser, Keys.END)
    assert focused(browser) == ("linux-2.4.20", "reproducible")
    press(browser, Keys.HOME, Keys.ARROW_UP, Keys.ARROW_UP)
    assert focused(browser) == ("linux-2.4.13", "identify")
    press(browser, Keys.ARROW_RIGHT, Keys.ENTER)
    dialog = browser.find_element(By.ID, "cell")
    assert dialog.is_displayed()
    assert "linux-2.4.13: facts" in dialog.text
    press(browser, Keys.ESCAPE)
    assert not dialog.is_displayed()
    assert focused(browser) == ("linux-2.4.13", "facts")


def test_what_stands_behind_cells(browser: Chrome, page: Path) -> None:
    show(browser, page)
    text = open_cell(browser, "linux-2.4.20", "builds")
    assert "fail" in text
    assert "parse error </script><script>" in text
    press(browser, Keys.ESCAPE)
    assert "sizeof_page" in open_cell(browser, "linux-2.4.13", "facts")
    press(browser, Keys.ESCAPE)
    text = open_cell(browser, "linux-2.4.31", "model")
    assert "step 2, numnodes: expected 3, seen 2" in text
    assert "fork+exit" in text
    assert browser.find_element(By.CSS_SELECTOR, "#cell .plot svg.area").is_displayed()


def test_patches_are_highlighted(browser: Chrome, page: Path) -> None:
    show(browser, page)
    open_cell(browser, "linux-2.4.13", "patch")
    browser.find_element(By.CSS_SELECTOR, "#cell summary").click()
    lines = WebDriverWait(browser, SECONDS).until(
        lambda driver: driver.find_elements(By.CSS_SELECTOR, "#cell .diff span")  # filled in when it opens
    )
    kinds = [(line.get_dom_attribute("class"), line.get_property("textContent")) for line in lines]
    assert ("add", "+new line") in kinds
    assert ("del", "-old line") in kinds
    assert "context <b>" in [str(text).strip() for _, text in kinds]


def test_a_link_leads_to_a_cell(browser: Chrome, page: Path) -> None:
    show(browser, page, "#rhel3:boots")
    assert "rhel3: boots" in browser.find_element(By.ID, "cell-title").text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_phone(browser: Chrome, page: Path, dark: bool) -> None:
    show(browser, page, width=360, dark=dark)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
    cell = browser.find_element(By.CSS_SELECTOR, 'button.cell[data-column="boots"]')
    assert "boots" in cell.text
    assert cell.rect["height"] >= 32
    background = browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")
    channels = [int(part) for part in background[background.index("(") + 1 : -1].split(",")[:3]]
    assert (max(channels) < 64) is dark
    open_cell(browser, "linux-2.4.31", "model")
    box = browser.find_element(By.ID, "cell").rect
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
