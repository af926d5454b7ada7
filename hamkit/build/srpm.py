"""The source RPM: rendered spec and source archive, packed by the distribution's own rpmbuild."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hamkit import __version__
from hamkit.build import lastjob, rpmbuild
from hamkit.build.engine import Engine, Job, elsewhere
from hamkit.build.image import Image
from hamkit.build.sources import archive
from hamkit.errors import Failure
from hamkit.files import cache_root, folder_whole, project_root, sha256_text, write_whole
from hamkit.progress import Progress
from hamkit.render import kernelpatch
from hamkit.render.changelog import released
from hamkit.render.kernelpatch import kernel_patch_files
from hamkit.render.rpmspec import MAIN, rpm_specs
from hamkit.render.series import SeriesResult
from hamkit.specs import Spec
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict


@dataclass(frozen=True)
class Rendered:
    """Everything that goes into a source RPM, before rpmbuild: ``files`` by name, ``main`` the spec file
    among them."""

    spec: Spec
    main: str
    files: Mapping[str, bytes]
    epoch: int  # seconds; date of the changelog entry of this version

    @property
    def digest(self) -> str:
        parts = (part for name, raw in sorted(self.files.items()) for part in (name, raw.hex()))
        return sha256_text(self.main, *parts, str(self.epoch))


@dataclass(frozen=True)
class SrpmRequest:
    """``renew`` builds even when the cache holds the result of the same inputs; ``elsewhere`` as somebody
    else would, to see whether the bytes are the same."""

    rendered: Rendered
    image: Image
    log: Path
    renew: bool = False
    elsewhere: bool = False


@dataclass(frozen=True)
class Srpm:
    """The source RPM, in the cache."""

    path: Path
    epoch: int
    stage: StageResult


def epoch() -> int:
    """The date of this version in the changelog, in seconds."""
    return released(project_root() / "CHANGELOG.md", __version__)[0].epoch


def render_srpm(spec: Spec) -> Rendered:
    """Render spec and sources for a distribution; needs no engine and no rpm."""
    root = project_root()
    entries = released(root / "CHANGELOG.md", __version__)
    when = entries[0].epoch
    extra = {"LICENSE": root / "LICENSE"}
    top = f"ham-{__version__}"
    files = {name: text.encode() for name, text in rpm_specs(spec, entries).items()}
    files[f"{top}.tar.gz"] = archive(root / "ham-src", top, when, extra)
    return Rendered(spec, MAIN, files, when)


def render_kernel_patch(spec: Spec, series: SeriesResult) -> Rendered:
    """The package of kernel patches for the tree that the series was rendered for."""
    entries = released(project_root() / "CHANGELOG.md", __version__)
    return Rendered(spec, kernelpatch.MAIN, kernel_patch_files(spec, series, entries), entries[0].epoch)


def cached_srpm(rendered: Rendered, image_digest: str) -> Path | None:
    """The source RPM of the same inputs, if it was built before."""
    found = sorted(_folder(rendered, image_digest).glob("*.src.rpm"))
    return found[0] if found else None


def build_srpm(request: SrpmRequest, engine: Engine, progress: Progress) -> Srpm:
    """Run ``rpmbuild -bs`` in the distribution's image; the result lies in the cache.

    Raises Failure with the last lines of rpmbuild.
    """
    watch, rendered, image = Stopwatch(), request.rendered, request.image
    path = None if request.renew else cached_srpm(rendered, image.digest)
    cached = path is not None
    if path is None:
        with progress.step(f"rpmbuild -bs in the image of {rendered.spec.name}") as step:
            job = _job(rendered, image, request.log)
            job = elsewhere(job) if request.elsewhere else job
            lastjob.keep(rendered.spec.name, job)
            found = engine.run(job, step.note).files
        packages = [name for name in found if name.endswith(".src.rpm")]
        if len(packages) != 1:
            raise Failure(f"rpmbuild left {len(packages)} source RPMs, not one", f"log: {request.log}")
        with folder_whole(_folder(rendered, image.digest)) as work:
            write_whole(work / packages[0], found[packages[0]])
        path = _folder(rendered, image.digest) / packages[0]
    stage = StageResult(
        "srpm",
        Verdict.PASS,
        watch.seconds,
        path.name,
        inputs={"rendered": f"sha256:{rendered.digest}", "image": image.digest},
        outputs=(Artifact.of(path),),
        facts={"source_date_epoch": rendered.epoch},
        cached=cached,
    )
    return Srpm(path, rendered.epoch, stage)


def _job(rendered: Rendered, image: Image, log: Path) -> Job:
    macros = rpmbuild.defines(rendered.spec) | {"_sourcedir": ".", "_specdir": "."}
    command = rpmbuild.argv(rendered.spec, ["-bs", rendered.main], macros)
    return Job(image.digest, command, rendered.files, log, rpmbuild.environment(rendered.epoch))


def _folder(rendered: Rendered, image_digest: str) -> Path:
    key = sha256_text(rendered.digest, image_digest, repr(rpmbuild.defines(rendered.spec)))
    return cache_root() / "srpm" / key
