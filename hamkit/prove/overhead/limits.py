"""Loads and validates ``specs/limits/overhead.toml``: what is counted in a guest, and what it may cost.

All mistakes of the file are reported at once, each with its field.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from hamkit.errors import UserError
from hamkit.prove.overhead import LIMITS
from hamkit.scenarios import parse_size

LARGEST_BLOCK = 4 << 20  # bytes; regions are whole ones in every tree

Ratio = Annotated[float, Field(gt=0.5, lt=10)]


def _whole_blocks(value: object) -> int:
    size = parse_size(value)
    if size <= 0 or size % LARGEST_BLOCK:
        raise ValueError(f"{value!r} is not a whole number of {LARGEST_BLOCK >> 20}M")
    return size


Blocks = Annotated[int, BeforeValidator(_whole_blocks)]


class RowLimit(BaseModel):
    """One kind of work, as ``ham-src/proof/hambench.c`` names it; ratios to the stock kernel."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$")]
    title: str
    unit: str
    before: Ratio
    after: Ratio


class _Machine(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    boot_memory: Blocks
    regions: Annotated[tuple[Blocks, ...], Field(min_length=1, max_length=16)]
    whole: Blocks


class _HotAdd(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    instructions: Annotated[int, Field(gt=0)]
    linear: Ratio


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    machine: _Machine
    hotadd: _HotAdd
    row: Annotated[tuple[RowLimit, ...], Field(min_length=1)]


@dataclass(frozen=True)
class OverheadLimits:
    """Sizes in bytes. ``regions`` follow ``boot_memory`` one by one, ``whole`` follows them."""

    boot_memory: int
    regions: tuple[int, ...]
    whole: int
    hotadd_instructions: int
    hotadd_linear: float
    rows: tuple[RowLimit, ...]

    @property
    def total(self) -> int:
        """Bytes of memory once the regions were added."""
        return self.boot_memory + sum(self.regions)


def load_limits(path: Path | None = None) -> OverheadLimits:
    """Read the file. Raises UserError naming every mistake."""
    path = path or LIMITS
    try:
        file = _File.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as bad:
        raise UserError(f"cannot read {path.name}: {bad}", "give a TOML file in UTF-8") from bad
    except ValidationError as bad:
        found = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in bad.errors()]
        raise UserError("\n".join(f"{path.name}: {m}" for m in found), "mend the named fields") from bad
    machine, hotadd = file.machine, file.hotadd
    return OverheadLimits(
        machine.boot_memory, machine.regions, machine.whole, hotadd.instructions, hotadd.linear, file.row
    )
