"""What a check is asked, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hamkit.specs import Spec
from hamkit.stage import StageResult, Verdict

OWNED = (
    "/boot", "/etc/depmod.d", "/etc/modprobe.d", "/etc/rc.d/init.d", "/lib/modules", "/sbin", "/usr/bin",
    "/usr/include", "/usr/lib/modprobe.d", "/usr/lib/modules", "/usr/lib/modules-load.d",
    "/usr/lib/udev/rules.d", "/usr/libexec", "/usr/sbin", "/usr/share/doc",
    "/usr/share/licenses", "/usr/share/man", "/usr/src",
)  # fmt: skip


@dataclass(frozen=True)
class CheckRequest:
    """A package and the distribution whose rpm shall take it.

    ``build_host`` is the fixed BUILDHOST; ``source_date_epoch`` (seconds since 1970) the
    time it was built for, None when unknown; ``owned`` the folders below which a binary
    package may put files; ``repositories`` the places (paths, URLs) that it shall be published in.
    """

    path: Path
    spec: Spec
    build_host: str = "localhost"
    source_date_epoch: int | None = None
    owned: tuple[str, ...] = OWNED
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The verdict of one rule: what was seen, what is wanted, what mends it (macro or spec field)."""

    rule: str
    title: str
    verdict: Verdict
    seen: str
    wanted: str
    fix: str


@dataclass(frozen=True)
class CheckResult:
    """All findings in the order in which they were made. ``stage.detail`` is the one line to show."""

    stage: StageResult
    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.verdict is Verdict.FAIL)


def shown(text: str, limit: int = 160) -> str:
    """A text of a package made safe for a terminal: one line, no control characters, not long."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= limit else f"{safe[: limit - 1]}…"
