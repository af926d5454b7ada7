"""The matrix as data: rows, cells, and what stands behind each cell. The JSON Schema is made from this.

Texts (logs, patches) are kept once, by digest, in ``texts``: neighbouring kernels share most of them.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
)

from hamkit.errors import UserError
from hamkit.files import read_given
from hamkit.publish.record import CheckRecord, StepRecord
from hamkit.stage import Verdict

SCHEMA_ID: Final = "hamkit-matrix"
LARGEST = 1 << 30  # bytes of a matrix with its texts
SCHEMA_FILE = Path(__file__).with_name("matrix.schema.json")
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
SYMBOLS = {Verdict.PASS: "✓", Verdict.FAIL: "✕", Verdict.UNSUPPORTED: "\N{EN DASH}", Verdict.NOT_RUN: "○"}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Text(_Record):
    """A named text of a cell; ``digest`` finds it in the matrix's ``texts``."""

    name: str
    digest: Digest


class Ratio(_Record):
    """One row of an overhead measurement: patched to stock, in guest instructions."""

    test: str
    ratio: float = Field(gt=0)
    limit: float | None = Field(None, description="the most that is allowed")


class Cell(_Record):
    """The answer to one column for one row; ``detail`` is one line, ``key`` names its inputs."""

    column: str
    verdict: Verdict
    detail: str = ""
    seconds: float = Field(0.0, ge=0)
    cached: bool = False
    key: str = Field("", description="digest of all that the answer depends on; empty when nothing ran")
    facts: dict[str, JsonValue] = Field(default_factory=dict)
    texts: tuple[Text, ...] = Field((), description="logs")
    patches: tuple[Text, ...] = Field((), description="the rendered series, in order")
    steps: tuple[StepRecord, ...] = Field((), description="the machine after each step of the scenario")
    checks: tuple[CheckRecord, ...] = Field((), description="values that do not agree with the model")
    overhead: tuple[Ratio, ...] = ()


class Row(_Record):
    """One kernel tree or distribution; ``name`` is what the user calls it."""

    name: str
    line: Literal["2.4", "mainline"]
    title: str
    origin: str = Field("", description="vanilla, a vendor, or a distribution's family")
    cells: tuple[Cell, ...]

    def cell(self, column: str) -> Cell:
        """The cell of a column. Raises KeyError."""
        for cell in self.cells:
            if cell.column == column:
                return cell
        raise KeyError(column)

    @property
    def verdict(self) -> Verdict:
        """The worst of the cells: fail, then not run, then unsupported."""
        found = {cell.verdict for cell in self.cells}
        order = (Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNSUPPORTED)
        return next((verdict for verdict in order if verdict in found), Verdict.PASS)


class ColumnRecord(_Record):
    """A column: its name in data, its title for people, what a pass means."""

    name: str
    title: str
    meaning: str


class Counts(_Record):
    """How many cells came from the cache, and how many were computed in this run; of which columns."""

    cached: int = Field(ge=0)
    computed: int = Field(ge=0)
    columns: dict[str, int] = Field(default_factory=dict, description="computed cells by column")


class Matrix(_Record):
    """The whole of a matrix run."""

    schema_id: Literal["hamkit-matrix"] = SCHEMA_ID
    schema_version: Literal[1] = 1
    hamkit: str
    started: AwareDatetime = Field(description="UTC")
    seconds: float = Field(0.0, ge=0)
    argv: tuple[str, ...] = ()
    complete: bool = Field(description="false while running, and after an interruption")
    columns: tuple[ColumnRecord, ...]
    rows: tuple[Row, ...]
    counts: Counts = Counts(cached=0, computed=0)
    peak_memory_mib: float = Field(0.0, ge=0, description="what the driver itself had in memory at most")
    tools: dict[str, str] = Field(default_factory=dict)
    texts: dict[Digest, str] = Field(default_factory=dict, description="digest to text")

    @property
    def verdict(self) -> Verdict:
        """fail when any cell failed; not run when one could not run; else pass. Unsupported is an answer."""
        found = {cell.verdict for row in self.rows for cell in row.cells}
        for verdict in (Verdict.FAIL, Verdict.NOT_RUN):
            if verdict in found:
                return verdict
        return Verdict.PASS if found else Verdict.NOT_RUN

    def totals(self) -> Counter[Verdict]:
        return Counter(cell.verdict for row in self.rows for cell in row.cells)

    def row(self, name: str) -> Row:
        """A row by name. Raises UserError naming those there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise UserError(f"the matrix has no row {name!r}", f"rows: {', '.join(r.name for r in self.rows)}")

    def text(self) -> str:
        """The content of the JSON file."""
        return self.model_dump_json(indent=1) + "\n"


def load(path: Path) -> Matrix:
    """A matrix read back. Raises UserError listing every mistake with its field."""
    try:
        return Matrix.model_validate_json(read_given(path, LARGEST))
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "make one: invoke matrix --json FILE") from bad
    except ValidationError as bad:
        mistakes = [f"{'.'.join(map(str, e['loc'])) or '(file)'}: {e['msg']}" for e in bad.errors()[:5]]
        raise UserError(f"{path.name} is no matrix: {'; '.join(mistakes)}", "make it anew") from bad


def schema_text() -> str:
    """The JSON Schema of a matrix, as it ships in ``SCHEMA_FILE``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA_ID}:1",
        **Matrix.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"
