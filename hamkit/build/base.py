"""The base image of a distribution: its own, pulled, or one made from its packages."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hamkit.build.engine import LABEL, Engine
from hamkit.errors import Failure, MissingNeed
from hamkit.files import scratch_folder
from hamkit.progress import Progress
from hamkit.run import ToolFailed, run
from hamkit.specs import Spec

BOOTSTRAP_SECONDS = 900.0


@dataclass(frozen=True)
class Base:
    """A base image by content: ``digest`` of its configuration, ``origin`` in words."""

    digest: str
    origin: str


def find_base(spec: Spec, engine: Engine) -> Base | None:
    """The base made earlier, if the engine still has it."""
    digest = engine.image_id(_name(spec))
    return Base(digest, engine.labels(digest).get(f"{LABEL}.origin", "pulled")) if digest else None


def make_base(spec: Spec, engine: Engine, epoch: int, log: Path, progress: Progress) -> Base:
    """Pull the distribution's image; when that is impossible bootstrap one with mmdebstrap.

    ``epoch`` (seconds) stamps the files of a bootstrapped one. Raises MissingNeed when
    neither the image nor the distribution's packages can be had.
    """
    with progress.step(f"base image: pull {spec.image.reference}"):
        pulled = engine.pull(spec.image.reference)
    if pulled is not None:
        engine.client.images.get(pulled).tag(*_name(spec).rsplit(":", 1))
        return Base(pulled, f"pulled {spec.image.reference}")
    with progress.step(f"base image: not to be pulled, bootstrap {spec.image.suite} from its packages"):
        return _bootstrap(spec, engine, epoch, log)


def _bootstrap(spec: Spec, engine: Engine, epoch: int, log: Path) -> Base:
    origin = f"mmdebstrap {spec.image.suite}"
    options = ["--aptopt=Acquire::Check-Valid-Until false"] if spec.image.frozen else []
    with scratch_folder("base") as work:
        tar = work / "base.tar"
        try:
            run(
                ["mmdebstrap", "--variant=minbase", "--format=tar", *options, spec.image.suite, tar],
                package="mmdebstrap",
                env={"SOURCE_DATE_EPOCH": str(epoch)} | _workplace(work),
                log=log,
                timeout=BOOTSTRAP_SECONDS,
            )
        except ToolFailed as bad:
            raise MissingNeed(
                f"no base image: {spec.image.reference} cannot be pulled and mmdebstrap failed: "
                + (bad.completed.stderr.strip().splitlines() or ["no output"])[-1],
                f"connect to a registry or to the distribution's package mirror; log: {log}",
            ) from bad
        if not tar.exists():
            raise Failure("mmdebstrap wrote no root file system", f"log: {log}")
        labels = {LABEL: "base", f"{LABEL}.origin": origin}
        return Base(engine.import_rootfs(tar, _name(spec), labels), origin)


def _workplace(work: Path) -> dict[str, str]:
    """As root mmdebstrap works where leftovers are swept; a user's namespace cannot enter that folder."""
    return {"TMPDIR": os.fspath(work)} if os.geteuid() == 0 else {}


def _name(spec: Spec) -> str:
    return f"hamkit/{spec.name}-base:latest"
