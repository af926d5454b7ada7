"""A real browser for the tests of pages: headless Chromium through its driver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

DRIVER = "/usr/bin/chromedriver"

needs_browser = pytest.mark.skipif(
    not (Path(DRIVER).exists() and shutil.which("chromium")),
    reason="needs a browser: apt-get install chromium chromium-driver",
)


def started(profile: Path) -> Iterator[Chrome]:
    """A browser with a profile of its own, ended when the generator is."""
    options = ChromeOptions()
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


def logged(browser: Chrome, kind: str) -> list[dict[str, Any]]:
    """What the browser has logged since it was asked last: ``browser`` (its console) or ``performance``."""
    entries: list[dict[str, Any]] = browser.get_log(kind)  # type: ignore[no-untyped-call]
    return entries


def emulate(browser: Chrome, *, width: int = 1280, dark: bool = False) -> None:
    """A window of that width, below 600 a phone's; light or dark; nothing moves by itself."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    still = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme, still]})
