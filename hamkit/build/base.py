"""The base image of a distribution: its own, pulled, one made from its packages, another's, or a user's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hamkit import LABEL, specs
from hamkit.build.engine import Engine, EngineErrors
from hamkit.errors import Failure, MissingNeed, UserError
from hamkit.files import scratch_folder, sha256_file
from hamkit.progress import Progress
from hamkit.render.dockerfile import Kind
from hamkit.run import ToolFailed, run
from hamkit.specs import Spec

BOOTSTRAP_SECONDS = 900.0
TAGS: dict[Kind, str] = {"userland": "userland", "own": "latest", "style": "style"}
"""What a base is tagged as, best first."""


@dataclass(frozen=True)
class Base:
    """A base image by content: ``digest`` of its configuration, ``origin`` in words."""

    digest: str
    origin: str
    kind: Kind = "own"


def find_base(spec: Spec, engine: Engine) -> Base | None:
    """The base made earlier, if the engine still has it; a userland of the user's comes first."""
    for kind in TAGS:
        if digest := engine.image_id(_name(spec, kind)):
            origin = engine.labels(digest).get(f"{LABEL}.origin", "pulled")
            return Base(digest, f"{origin}, in the style of {spec.name}" if kind == "style" else origin, kind)
    return None


def style_of(spec: Spec) -> Spec | None:
    """The distribution whose base stands in for this one's."""
    return specs.load(spec.image.style_base) if spec.image.style_base else None


def make_base(spec: Spec, engine: Engine, epoch: int, log: Path, progress: Progress) -> Base:
    """Pull the distribution's image; else bootstrap one with mmdebstrap, or take another distribution's.

    ``epoch`` (seconds) stamps the files of a bootstrapped one. Raises MissingNeed when
    neither the image nor the distribution's packages can be had.
    """
    reference = spec.image.reference
    pulled = None
    if reference is not None:
        with progress.step(f"base image: pull {reference}"):
            pulled = engine.pull(reference)
    if pulled is not None:
        _tag(engine, pulled, _name(spec, "own"))
        return Base(pulled, f"pulled {reference}")
    if spec.image.suite is not None:
        with progress.step(f"base image: not to be pulled, bootstrap {spec.image.suite} from its packages"):
            return _bootstrap(spec, spec.image.suite, engine, epoch, log)
    below = style_of(spec)
    if below is None:
        raise MissingNeed(f"no base image: {reference} cannot be pulled", "connect to a registry")
    base = find_base(below, engine) or make_base(below, engine, epoch, log, progress)
    _tag(engine, base.digest, _name(spec, "style"))
    return Base(base.digest, f"{base.origin}, in the style of {spec.name}", "style")


def take_userland(spec: Spec, tar: Path, engine: Engine) -> Base:
    """A root file system of the user's (tar, also compressed) as the distribution's base from now on.

    Raises UserError when the engine cannot take it.
    """
    try:
        origin = f"userland {tar.name} sha256:{sha256_file(tar)}"
    except OSError as bad:
        raise UserError(
            f"cannot read {tar}: {bad.strerror}", "give a root file system as a tar file"
        ) from bad
    labels = {LABEL: "base", f"{LABEL}.origin": origin}
    try:
        digest = engine.import_rootfs(tar, _name(spec, "userland"), labels)
    except EngineErrors as bad:
        raise UserError(f"{tar} is no root file system: {bad}", "give it as a tar file") from bad
    return Base(digest, origin, "userland")


def forget_userland(spec: Spec, engine: Engine) -> None:
    """The distribution's base is what it was before one of the user's was taken."""
    engine.remove_images([_name(spec, "userland")])


def _bootstrap(spec: Spec, suite: str, engine: Engine, epoch: int, log: Path) -> Base:
    origin = f"mmdebstrap {suite}"
    options = ["--aptopt=Acquire::Check-Valid-Until false"] if spec.image.frozen else []
    with scratch_folder("base") as work:
        tar = work / "base.tar"
        argv = ["mmdebstrap", "--variant=minbase", "--format=tar", *options, suite, os.fspath(tar)]
        try:
            run(
                [*argv, *spec.image.mirror],
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
        return Base(engine.import_rootfs(tar, _name(spec, "own"), labels), origin)


def _workplace(work: Path) -> dict[str, str]:
    """As root mmdebstrap works where leftovers are swept; a user's namespace cannot enter that folder."""
    return {"TMPDIR": os.fspath(work)} if os.geteuid() == 0 else {}


def _tag(engine: Engine, digest: str, name: str) -> None:
    engine.client.images.get(digest).tag(*name.rsplit(":", 1))


def _name(spec: Spec, kind: Kind) -> str:
    return f"hamkit/{spec.name}-base:{TAGS[kind]}"
