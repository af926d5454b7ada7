"""dist/<distro>/: what a release leaves, written whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from hamkit.errors import Failure, UserError
from hamkit.files import folder_whole, write_whole
from hamkit.progress import Progress
from hamkit.publish.page import PAGE_NAME, render_page
from hamkit.publish.places import Places
from hamkit.publish.provenance import PROVENANCE_NAME, statement
from hamkit.publish.record import RunResult, Shipped, ShippedName, stage_record
from hamkit.publish.reproduce import SCRIPT_NAME, render_script
from hamkit.publish.sbom import SBOM_NAME, render_sbom
from hamkit.publish.sums import SUMS_NAME, write_sums
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

STAGE_NAME = "publish"
RESULT_NAME = "result.json"
CONSOLE_NAME = "console.log"
MARKS = (RESULT_NAME, SUMS_NAME)  # by which a folder is known as a release, which another may replace
OURS = frozenset({RESULT_NAME, SCRIPT_NAME, PAGE_NAME, SBOM_NAME, PROVENANCE_NAME, SUMS_NAME})


@dataclass(frozen=True)
class PublishRequest:
    """``result`` of the run so far; ``files`` maps a name in the dist folder to the file to ship.

    ``dist`` is the folder that holds one folder a distribution. A file named
    ``console.log`` is shown in the page; names that end in ``.log`` are the run's logs.
    """

    result: RunResult
    files: Mapping[str, Path]
    dist: Path


@dataclass(frozen=True)
class PublishResult:
    """``result`` is what the shipped result.json holds, with this stage in it."""

    stage: StageResult
    result: RunResult
    folder: Path

    @property
    def page(self) -> Path:
        return self.folder / PAGE_NAME


def publish(request: PublishRequest, progress: Progress) -> PublishResult:
    """Write ``dist/<distro>/``: the files, result.json, reproduce.sh, the page, the bill of materials,
    the provenance and SHA256SUMS.

    An older folder is replaced only when the new one is complete; any verdict is
    published, the page shows it. Raises UserError for a name that cannot be shipped,
    Failure for a file that is missing or not the one that its stage wrote.
    """
    _check_names(request.files)
    watch = Stopwatch()
    target = request.dist / request.result.distro
    with progress.step(f"Publish {target.name}"), folder_whole(target, MARKS) as work:
        shipped = tuple(_ship(name, request.files[name], work) for name in sorted(request.files))
        _check_digests(request.result, shipped)
        whole = request.result.with_changes(
            artifacts=shipped, logs=tuple(file.name for file in shipped if file.name.endswith(".log"))
        )
        published = StageResult(STAGE_NAME, Verdict.PASS, 0.0)  # the verdict is that of the whole run
        script = write_whole(work / SCRIPT_NAME, render_script(_with_own_stage(whole, published)))
        script.chmod(0o755)
        artifacts = [Artifact(target / file.name, file.sha256, file.size) for file in shipped]
        stage = StageResult(
            STAGE_NAME,
            Verdict.PASS,
            watch.seconds,
            detail=f"{len(shipped)} files",
            inputs={file.name: file.sha256 for file in shipped},
            outputs=(*artifacts, Artifact(target / SCRIPT_NAME, *_identity(script))),
        )
        result = _with_own_stage(whole, stage)
        write_evidence(result, work)
        write_sums(work)
    return PublishResult(stage, result, target)


def write_evidence(result: RunResult, work: Path) -> None:
    """What is derived from the record and the files it ships: record, page, bill of materials, provenance.

    Raises BadPackage when a file named as an RPM is none.
    """
    write_whole(work / RESULT_NAME, result.text())
    write_whole(work / PAGE_NAME, render_page(result, _console(work)))
    bill = write_whole(work / SBOM_NAME, render_sbom(result, work))
    packages = [file for file in result.artifacts if file.name.endswith(".rpm")]
    subjects = (*packages, shipped_file(SBOM_NAME, bill))
    write_whole(work / PROVENANCE_NAME, statement(result, subjects))


def shipped_file(name: str, path: Path) -> Shipped:
    """A file as the record names it."""
    sha256, size = _identity(path)
    return Shipped(name=name, sha256=sha256, size=size)


def _with_own_stage(result: RunResult, stage: StageResult) -> RunResult:
    """The record inside the folder says that it was published: if that is not so, nobody reads it."""
    seconds = round(result.seconds + stage.seconds, 3)
    return result.with_changes(seconds=seconds).with_stage(stage_record(stage, Places.of_this_machine()))


def _check_names(files: Mapping[str, Path]) -> None:
    wanted = TypeAdapter(ShippedName)
    for name in files:
        if name in OURS:
            raise UserError(f"{name} is written by publish itself", "ship the file under another name")
        try:
            wanted.validate_python(name)
        except ValidationError as bad:
            raise UserError(
                f"{name!r} cannot be a file of the dist folder",
                "names are relative, of letters, digits and ._+~^- and begin with a letter or digit",
            ) from bad


def _ship(name: str, source: Path, work: Path) -> Shipped:
    copy = work / name
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, copy)
    except OSError as bad:
        raise Failure(f"cannot ship {name}: {source}: {bad.strerror}", "run the stage that makes it") from bad
    return shipped_file(name, copy)


def _identity(path: Path) -> tuple[str, int]:
    artifact = Artifact.of(path)
    return artifact.sha256, artifact.size


def _check_digests(result: RunResult, shipped: tuple[Shipped, ...]) -> None:
    """What is shipped must be what was built and proven: the last stage to write a name decides."""
    written = {output.name: output.sha256 for stage in result.stages for output in stage.outputs}
    for file in shipped:
        due = written.get(Path(file.name).name, file.sha256)
        if due != file.sha256:
            raise Failure(
                f"{file.name} has changed since its stage wrote it: {file.sha256}, recorded {due}",
                "run the stages again",
            )


def _console(work: Path) -> str | None:
    path = work / CONSOLE_NAME
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
