"""A release: every stage for one distribution, and what it leaves in ``dist/``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hamkit.courses.distribution import STAGES, Pipeline, Request
from hamkit.errors import HamkitError
from hamkit.files import check_replaceable, project_root
from hamkit.progress import Progress
from hamkit.prove.qemu import version as qemu_version
from hamkit.publish.dist import MARKS, PublishRequest, PublishResult, publish
from hamkit.publish.record import RunRecord, RunStart
from hamkit.publish.reproduce import SCENARIO_NAME
from hamkit.publish.sbom import ENVIRONMENT_NAME
from hamkit.publish.source import Source
from hamkit.stage import Verdict

PYTHON = sys.version.split()[0]
FAILED = "failed"  # below dist/: runs that did not pass never replace one that did


@dataclass(frozen=True)
class ReleaseRequest:
    """``scenario``: the file that ``run`` was read from, shipped with it; ``dist``: the folder for all."""

    run: Request
    scenario: Path
    dist: Path

    @property
    def argv(self) -> tuple[str, ...]:
        """The words for ./bootstrap or invoke that ask for this release."""
        flavour = ("--flavour", self.run.flavour) if self.run.flavour else ()
        return ("release", "--distro", self.run.spec.name, *flavour)


def release(request: ReleaseRequest, progress: Progress) -> PublishResult:
    """Run all stages and publish. A run that fails is published too, in ``dist/failed/``.

    Raises the error of the stage that could not run, after publishing what there is.
    """
    check_replaceable(request.dist / request.run.spec.name, MARKS)
    pipeline = Pipeline(request.run, progress)
    with pipeline.locked():
        source = Source.of(project_root())
        start = RunStart(request.run.spec.name, request.argv, (*STAGES, "publish"), source)
        record = RunRecord(pipeline.logs / "result.json", start)
        pipeline.watch = record.add
        try:
            _stages(pipeline, record)
        except HamkitError as stopped:
            try:
                _publish(request, pipeline, record, progress)
            except HamkitError as second:
                progress.note(f"the failed run could not be published: {second.message}")
            raise stopped from None
        return _publish(request, pipeline, record, progress)


def _stages(pipeline: Pipeline, record: RunRecord) -> None:
    image = pipeline.image
    record.learn(
        kernel_release=image.release(pipeline.request.flavour),
        images={"base": image.base.digest, "build": image.digest},
        tools={"docker": pipeline.engine.version, "python": PYTHON, "qemu": qemu_version()},
    )
    _, booted = pipeline.checked, pipeline.booted  # a check that fails is on record; the rest still runs
    record.learn(processes=(booted.argv,))
    record.compare(pipeline.proved)


def _publish(
    request: ReleaseRequest, pipeline: Pipeline, record: RunRecord, progress: Progress
) -> PublishResult:
    passed = all(s.verdict is Verdict.PASS for s in record.result.stages if s.name != "publish")
    dist = request.dist if passed else request.dist / FAILED
    return publish(PublishRequest(record.result, _files(request, pipeline), dist), progress)


def _files(request: ReleaseRequest, pipeline: Pipeline) -> Mapping[str, Path]:
    """Artifacts of the stages that ran, the scenario, and every log of this run."""
    found = {SCENARIO_NAME: request.scenario}
    if any(stage.name == "image" and stage.verdict is Verdict.PASS for stage in pipeline.results):
        found[ENVIRONMENT_NAME] = pipeline.image.packages
    for stage in pipeline.results:
        found |= {a.path.name: a.path for a in stage.outputs}
    logs = (*pipeline.logs.glob("*.log"), *(pipeline.logs / "boot").glob("*.log"))
    return found | {path.name: path for path in logs if path.stat().st_size}
