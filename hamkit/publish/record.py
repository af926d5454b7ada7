"""result.json: the evidence of one run, typed, written early and again after every stage.

How the overall verdict follows from the stages (``overall``): a failed stage or a
comparison that does not hold makes the run ``fail``; else a stage that was planned but
not run makes it ``not run``; else an unsupported one makes it ``unsupported``; only
when every planned stage passed is it ``pass``. A run that was killed therefore reads
``not run`` or ``fail``, never ``pass``.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from hamkit import __version__
from hamkit.errors import UserError
from hamkit.files import write_whole
from hamkit.prove.comparison import Comparison
from hamkit.publish.places import Places
from hamkit.publish.source import Source
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

SCHEMA_ID: Final = "hamkit-result"
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
# No component begins with a dot, so no shipped file is hidden or lies outside the folder.
ShippedName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._+~^-]*(/[A-Za-z0-9_][A-Za-z0-9._+~^-]*)*$")
]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Output(_Record):
    """A file that a stage wrote: its name without a folder, ``size`` in bytes."""

    name: str = Field(pattern=r"^[^/]+$")
    sha256: Sha256
    size: int = Field(ge=0, description="bytes")


class Shipped(_Record):
    """A file in the dist folder; ``name`` is relative to that folder, ``size`` in bytes."""

    name: ShippedName
    sha256: Sha256
    size: int = Field(ge=0, description="bytes")


class Stage(_Record):
    """One stage of the run; ``not run`` says in ``detail`` what is missing."""

    name: str
    verdict: Verdict
    seconds: float = Field(0.0, ge=0)
    detail: str = ""
    cached: bool = False
    inputs: dict[str, str] = Field(default_factory=dict, description="name to digest")
    outputs: tuple[Output, ...] = ()
    facts: dict[str, JsonValue] = Field(default_factory=dict, description="what the stage learnt")


class CheckRecord(_Record):
    """One value held against the model; an empty ``allowance`` means an exact match was asked."""

    step: int = Field(ge=0, description="scenario step, 0 is the state after boot")
    title: str
    expected: str
    seen: str
    verdict: Verdict
    allowance: str = ""


class ZoneRecord(_Record):
    """A memory zone's counters, in pages of 4 KiB."""

    name: str
    spanned: int = Field(ge=0, description="pages")
    present: int = Field(ge=0, description="pages")
    managed: int = Field(ge=0, description="pages")


class StepRecord(_Record):
    """The machine after one step of the scenario; sizes in KiB."""

    step: int = Field(ge=0)
    label: str
    result: str = Field(description="ok, the name of an errno, or what was seen instead")
    mem_total_kib: int = Field(ge=0)
    mem_free_kib: int = Field(ge=0)
    expected_total_kib: int = Field(ge=0)
    zones: tuple[ZoneRecord, ...]
    status: tuple[str, ...] = Field(description="lines of /proc/ham/status")


class ComparisonRecord(_Record):
    """The run held against the reference model."""

    verdict: Verdict
    checks: tuple[CheckRecord, ...]
    steps: tuple[StepRecord, ...]


class RunResult(_Record):
    """The whole of result.json.

    No path of the machine that made the run is recorded: files are named relative to
    the dist folder, and inside other text the checkout reads ``.``, the cache ``<cache>``.
    """

    schema_id: Literal["hamkit-result"] = SCHEMA_ID
    schema_version: Literal[1] = 1
    hamkit: str = Field(description="version of hamkit and HAM")
    source: Source
    argv: tuple[str, ...] = Field(description="words given to ./bootstrap or invoke", min_length=1)
    distro: Word
    kernel_release: str | None = Field(None, description="null until the run has found its kernel")
    started: AwareDatetime = Field(description="UTC")
    seconds: float = Field(0.0, ge=0)
    verdict: Verdict
    tools: dict[str, str] = Field(default_factory=dict, description="name to version")
    images: dict[str, str] = Field(default_factory=dict, description="name to digest")
    processes: tuple[tuple[str, ...], ...] = Field((), description="argument vector of each process")
    stages: tuple[Stage, ...]
    comparison: ComparisonRecord | None = None
    artifacts: tuple[Shipped, ...] = Field((), description="files shipped beside result.json")
    logs: tuple[ShippedName, ...] = Field((), description="those of the shipped files that are logs")

    @model_validator(mode="after")
    def _verdict_follows(self) -> Self:
        due = overall(self.stages, self.comparison)
        if self.verdict is not due:
            raise ValueError(f"verdict is {self.verdict.value!r}, but the stages make it {due.value!r}")
        return self

    def with_changes(self, **changes: Any) -> RunResult:
        """A copy with these fields changed, validated, its verdict derived anew."""
        fields = {name: getattr(self, name) for name in type(self).model_fields} | changes
        fields["verdict"] = overall(fields["stages"], fields["comparison"])
        return RunResult.model_validate(fields)

    def with_stage(self, stage: Stage) -> RunResult:
        """A copy with ``stage`` in the place planned for it, else at the end."""
        stages = list(self.stages)
        planned = [i for i, s in enumerate(stages) if (s.name, s.verdict) == (stage.name, Verdict.NOT_RUN)]
        if planned:
            stages[planned[0]] = stage
        else:
            stages.append(stage)
        return self.with_changes(stages=tuple(stages))

    def text(self) -> str:
        """The content of result.json."""
        return self.model_dump_json(indent=2) + "\n"


def overall(stages: Iterable[Stage], comparison: ComparisonRecord | None) -> Verdict:
    """The verdict of a run, as the module's first lines say. No stage at all is ``not run``."""
    found = {stage.verdict for stage in stages}
    if comparison is not None and comparison.verdict is not Verdict.PASS:
        return Verdict.FAIL
    for verdict in (Verdict.FAIL, Verdict.NOT_RUN, Verdict.UNSUPPORTED):
        if verdict in found:
            return verdict
    return Verdict.PASS if found else Verdict.NOT_RUN


def stage_record(stage: StageResult, places: Places) -> Stage:
    """A stage's result as it is recorded: file names without folders, facts as JSON types."""
    return Stage.model_validate(
        {
            "name": stage.name,
            "verdict": stage.verdict,
            "seconds": round(stage.seconds, 3),
            "detail": places.hide(stage.detail),
            "cached": stage.cached,
            "inputs": places.plain(stage.inputs),
            "outputs": tuple(_output(artifact) for artifact in stage.outputs),
            "facts": places.plain(stage.facts),
        }
    )


def comparison_record(comparison: Comparison) -> ComparisonRecord:
    """A comparison as it is recorded."""
    return ComparisonRecord(
        verdict=comparison.verdict,
        checks=tuple(CheckRecord(**vars(check)) for check in comparison.checks),
        steps=tuple(
            StepRecord(**vars(step) | {"zones": tuple(_zone(*zone) for zone in step.zones)})
            for step in comparison.steps
        ),
    )


def _zone(name: str, spanned: int, present: int, managed: int) -> ZoneRecord:
    return ZoneRecord(name=name, spanned=spanned, present=present, managed=managed)


def _output(artifact: Artifact) -> Output:
    return Output(name=artifact.path.name, sha256=artifact.sha256, size=artifact.size)


@dataclass(frozen=True)
class RunStart:
    """What is known before the first stage.

    ``argv``: the words given to ``./bootstrap`` or ``invoke`` (``release --distro debian-12``);
    ``planned``: names of all stages that the run needs, in order.
    """

    distro: str
    argv: tuple[str, ...]
    planned: tuple[str, ...]
    source: Source = field(default_factory=Source)


class RunRecord:
    """Evidence of a run in progress: the file at ``path`` is whole and current at every moment."""

    def __init__(self, path: Path, start: RunStart, places: Places | None = None) -> None:
        self.path = path
        self._places = places or Places.of_this_machine()
        self._watch = Stopwatch()
        self.result = RunResult(
            hamkit=__version__,
            source=start.source,
            argv=tuple(self._places.hide(word) for word in start.argv),
            distro=start.distro,
            started=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
            verdict=Verdict.NOT_RUN,
            stages=tuple(
                Stage(name=name, verdict=Verdict.NOT_RUN, detail="not reached") for name in start.planned
            ),
        )
        self._write(self.result)

    def add(self, stage: StageResult) -> None:
        """Record a finished stage: it takes the place that was planned for it, else the end."""
        self._write(self.result.with_stage(stage_record(stage, self._places)))

    def compare(self, comparison: Comparison) -> None:
        """Record the checks against the model and the course of the run."""
        self._write(self.result.with_changes(comparison=comparison_record(comparison)))

    def learn(
        self,
        *,
        kernel_release: str | None = None,
        tools: Mapping[str, str] | None = None,
        images: Mapping[str, str] | None = None,
        processes: Sequence[Sequence[str]] = (),
    ) -> None:
        """Record what the run has found out; what is given is added to what is known."""
        now = self.result
        ran = tuple(tuple(self._places.hide(word) for word in argv) for argv in processes)
        self._write(
            now.with_changes(
                kernel_release=kernel_release or now.kernel_release,
                tools=now.tools | dict(tools or {}),
                images=now.images | dict(images or {}),
                processes=now.processes + ran,
            )
        )

    def _write(self, result: RunResult) -> None:
        self.result = result.with_changes(seconds=self._watch.seconds)
        write_whole(self.path, self.result.text())


def load(path: Path) -> RunResult:
    """A result.json read back. Raises UserError listing every mistake with its field."""
    try:
        return RunResult.model_validate_json(path.read_bytes())
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}") from bad
    except ValidationError as bad:
        mistakes = [f"{'.'.join(map(str, e['loc'])) or '(file)'}: {e['msg']}" for e in bad.errors()]
        raise UserError(f"{path.name}: " + "; ".join(mistakes), "it was not written by this hamkit") from bad


def schema_text() -> str:
    """The JSON Schema of result.json, as it ships in ``SCHEMA_FILE``."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA_ID}:1",
        **RunResult.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"
