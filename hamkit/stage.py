"""What every stage returns: a frozen verdict with digests, never a side effect on its request."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from hamkit.files import sha256_file


class Verdict(StrEnum):
    """How a stage ended. "Not run" is never shown as pass."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Artifact:
    """A file that a stage wrote. ``size`` in bytes, ``sha256`` as 64 hex digits."""

    path: Path
    sha256: str
    size: int

    @classmethod
    def of(cls, path: Path) -> Artifact:
        return cls(path, sha256_file(path), path.stat().st_size)


@dataclass(frozen=True)
class StageResult:
    """One stage's evidence: ``inputs`` maps a name to a digest, ``facts`` is what it learnt (JSON types)."""

    name: str
    verdict: Verdict
    seconds: float
    detail: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[Artifact, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    cached: bool = False


class Stopwatch:
    """Wall time in seconds since it was made."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._begin, 3)
