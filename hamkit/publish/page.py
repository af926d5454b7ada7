"""index.html: one run as a single page that needs nothing beside it and asks nothing of the network.

The page's content security policy allows its own style and script, by their digests,
and nothing else: even text that escaped the escaping could not run.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from jinja2 import Environment
from markupsafe import Markup
from pydantic import JsonValue

from hamkit.publish import templates
from hamkit.publish.console import excerpt
from hamkit.publish.plot import plot
from hamkit.publish.record import CheckRecord, RunResult, StepRecord
from hamkit.stage import Verdict

PAGE_NAME = "index.html"
KIB_PER_MIB = 1024
THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
SYMBOLS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.UNSUPPORTED: "\N{EN DASH}", Verdict.NOT_RUN: "○"}
KINDS = {
    ".src.rpm": "source package",
    ".rpm": "package",
    ".log": "log",
    ".json": "data",
    ".sh": "script",
}


@dataclass(frozen=True)
class StatusLine:
    """A line of /proc/ham/status; ``state`` is its last word, ``new`` that the step before had not got it."""

    text: str
    state: str
    new: bool


@dataclass(frozen=True)
class StepView:
    """A step in the timeline: its record, how it differs from the step before, and its checks."""

    record: StepRecord
    gained_kib: int | None
    status: tuple[StatusLine, ...]
    gone: tuple[str, ...]
    passed: int
    checks: int

    @property
    def verdict(self) -> Verdict:
        if not self.checks:
            return Verdict.NOT_RUN
        return Verdict.PASS if self.passed == self.checks else Verdict.FAIL


def render_page(result: RunResult, console: str | None) -> str:
    """The page of a run; ``console`` is the content of console.log, when there is one."""
    checks = result.comparison.checks if result.comparison else ()
    steps = result.comparison.steps if result.comparison else ()
    environment = page_environment()
    style, script = asset(environment, "page.css"), asset(environment, "page.js")
    return environment.get_template("page.html.j2").render(
        result=result,
        checks=checks,
        bad_checks=[check for check in checks if check.verdict is not Verdict.PASS],
        bad_stages=[stage for stage in result.stages if stage.verdict is not Verdict.PASS],
        steps=_step_views(steps, checks),
        signed=any(stage.name == "sign" for stage in result.stages),
        plot=plot(steps),
        slowest=max((stage.seconds for stage in result.stages), default=0.0),
        console=None if console is None else excerpt(console),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=policy(style, script),
    )


def _step_views(steps: tuple[StepRecord, ...], checks: tuple[CheckRecord, ...]) -> list[StepView]:
    views: list[StepView] = []
    for i, step in enumerate(steps):
        before = steps[i - 1] if i else None
        known = before.status if before else ()
        own = [check.verdict for check in checks if check.step == step.step]
        views.append(
            StepView(
                step,
                step.mem_total_kib - before.mem_total_kib if before else None,
                tuple(_status_line(line, line not in known) for line in step.status),
                tuple(line for line in known if line not in step.status),
                own.count(Verdict.PASS),
                len(own),
            )
        )
    return views


def _status_line(line: str, new: bool) -> StatusLine:
    words = line.split()
    return StatusLine(line, words[-1] if words else "", new)


def policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def asset(environment: Environment, name: str) -> str:
    return environment.get_template(name).render()


def page_environment() -> Environment:
    environment = templates.html_environment().overlay()
    filters: dict[str, Callable[..., str]] = {
        "mib": mib,
        "signed_mib": signed_mib,
        "bytes": human_bytes,
        "seconds": human_seconds,
        "symbol": lambda verdict: SYMBOLS[verdict],
        "slug": lambda word: word.replace(" ", "-"),
        "kind": kind,
        "pretty": pretty,
    }
    environment.filters = environment.filters | filters
    return environment


def mib(kib: int) -> str:
    """KiB as MiB with one decimal: ``1 744.3``."""
    return f"{kib / KIB_PER_MIB:,.1f}".replace(",", THIN)


def signed_mib(kib: int) -> str:
    """A difference in KiB as MiB: ``+256.0 MiB``; small ones in KiB, ``±0`` only for none."""
    if kib == 0:
        return "±0"
    if abs(kib) < KIB_PER_MIB / 20:
        return f"{'+' if kib > 0 else MINUS}{abs(kib)}{THIN}KiB"
    return f"{'+' if kib > 0 else MINUS}{mib(abs(kib))}{THIN}MiB"


def human_bytes(size: int) -> str:
    """A size with a binary unit: ``912 B``, ``38.6 KiB``."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f}{THIN}B" if units[0] == "B" else f"{value:.1f}{THIN}{units[0]}"


def human_seconds(seconds: float) -> str:
    """Wall time: ``0.4 s``, ``31.0 s``, ``5 min 02 s``."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}{THIN}min {rest:02d}{THIN}s"


def kind(name: str) -> str:
    """What a shipped file is, by its name."""
    return next((word for end, word in KINDS.items() if name.endswith(end)), PurePosixPath(name).suffix[1:])


def pretty(facts: Mapping[str, JsonValue]) -> str:
    """Facts as indented JSON."""
    return json.dumps(facts, indent=2, ensure_ascii=False)
