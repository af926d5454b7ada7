"""What overhead measurements found, in the cache: by the counted kernel, the programs, the limits.

Data only, so that who shows it need not import what measures.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from hamkit.files import cache_root, project_root, sha256_file, sha256_text, sha256_tree, write_whole
from hamkit.prove.overhead import LIMITS
from hamkit.stage import Verdict

LAYOUT = "1"


class MeasuredRow(BaseModel):
    """One kind of work: patched to stock, in guest instructions. ``ratio`` is None for what is no ratio, and
    for what could not be measured (``verdict`` not run)."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    phase: str
    title: str
    ratio: float | None
    limit: float
    verdict: Verdict


class _Result(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)

    rows: tuple[MeasuredRow, ...]


def keep(kernel: str, result: Any) -> Path:
    """Keep the JSON of a measurement of the patched kernel whose folder in the cache has that name."""
    return write_whole(_file(kernel), json.dumps(result, indent=2) + "\n")


def find(kernel: str) -> tuple[MeasuredRow, ...]:
    """The rows of the last measurement; nothing when there is none that still holds."""
    try:
        return _Result.model_validate_json(_file(kernel).read_bytes()).rows
    except (OSError, ValidationError):
        return ()


def _file(kernel: str) -> Path:
    inputs = (sha256_file(LIMITS), sha256_tree(project_root() / "ham-src"))
    return cache_root() / "overhead" / f"{sha256_text(LAYOUT, kernel, *inputs)}.json"
