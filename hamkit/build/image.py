"""The build image of a distribution, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hamkit import specs
from hamkit.build import lock as locks
from hamkit.build.base import Base, find_base, forget_userland, make_base, style_of, take_userland
from hamkit.build.engine import Engine, Job
from hamkit.build.lock import Lock
from hamkit.errors import Failure, MissingNeed, UserError
from hamkit.files import cache_root, folder_whole, sha256_text, write_whole
from hamkit.progress import Progress
from hamkit.render.dockerfile import KIT, dockerfile
from hamkit.specs import Spec
from hamkit.stage import StageResult, Stopwatch, Verdict


@dataclass(frozen=True)
class ImageRequest:
    """``renew`` makes the image anew even when an image of the same recipe is there.

    ``userland`` is a root file system (tar) to be the base from now on. ``stand_in``: where the image would
    hold no kernel of the distribution, another one's (``kernel.stand_in``) takes its place. ``lock`` has
    its packages installed in those versions and no others.
    """

    spec: Spec
    epoch: int
    log: Path
    renew: bool = False
    userland: Path | None = None
    stand_in: bool = False
    lock: Lock | None = None


@dataclass(frozen=True)
class Image:
    """A build image by digest; ``kernels`` maps flavour to release."""

    spec: Spec
    digest: str
    base: Base
    kernels: Mapping[str, str]
    stage: StageResult

    def release(self, flavour: str | None) -> str:
        """Kernel release of a flavour (None: the default). Raises UserError on an unknown one,
        MissingNeed where the image holds no kernel of the distribution."""
        name = flavour or self.spec.kernel.default_flavour
        if not self.kernels:
            raise MissingNeed(*self._no_kernel())
        if name not in self.kernels:
            raise UserError(
                f"{self.spec.name} has no kernel flavour {name!r}", f"one of: {', '.join(self.kernels)}"
            )
        return self.kernels[name]

    def _no_kernel(self) -> tuple[str, str]:
        title = self.spec.distribution.title
        if self.spec.distribution.line == "2.4":
            return f"the image holds no kernel of {title}", "give a source tree of it with --tree DIR"
        reason = f"{self.spec.image.reference} could not be pulled: the image is {title} in style only"
        return reason, f"connect to a registry, then: invoke image --distro {self.spec.name} --renew"

    def boot_file(self, release: str) -> Path:
        """The distribution's own kernel image (bzImage)."""
        return _folder(self.digest) / f"vmlinuz-{release}"

    @property
    def packages(self) -> Path:
        """What is installed in the image: a line a package, name, version, architecture."""
        return _folder(self.digest) / "packages"


def plan_image(
    spec: Spec, engine: Engine, stand_in: bool = False, lock: Lock | None = None
) -> tuple[str, bool]:
    """Name of the image that ``make_image`` would use, and whether it is there already."""
    base = find_base(spec, engine)
    if base is not None and stand_in and base.kind == "style":
        name, _ = plan_image(_kernels_of(spec), engine)
        digest = engine.image_id(name)
        base = Base(digest, name, "stand-in") if digest else None
    if base is None:
        return f"hamkit/{spec.name}:(base to be made)", False
    name = _name(spec, base, lock)
    return name, engine.image_id(name) is not None


def make_image(request: ImageRequest, engine: Engine, progress: Progress) -> Image:
    """Build the image of a distribution, or take the one of the same recipe and base."""
    watch, spec = Stopwatch(), request.spec
    engine.sweep()
    base = take_userland(spec, request.userland, engine) if request.userland else None
    if base is None and not request.renew:
        base = find_base(spec, engine)
    if base is None:
        base = make_base(spec, engine, request.epoch, request.log, progress)
    if request.stand_in and base.kind == "style":
        base = _with_kernel(request, engine, progress)
    if request.lock:
        locks.fits(request.lock, spec, base.kind)
    recipe, name = _recipe(spec, base, request.lock), _name(spec, base, request.lock)
    digest = None if request.renew else engine.image_id(name)
    cached = digest is not None
    if digest is None:
        digest = _built(request, recipe, name, engine, progress)
    folder = _take_out(spec, engine, digest, request.log, progress)
    if request.lock:
        _held(request.lock, folder / "packages", spec, name, engine)
    kernels = dict(line.split() for line in (folder / "kernels").read_text().splitlines())
    stage = StageResult(
        "image",
        Verdict.PASS,
        watch.seconds,
        f"{name} on {base.origin}",
        inputs={"base": base.digest, "recipe": f"sha256:{sha256_text(recipe)}"} | _lock_input(request.lock),
        facts={
            "image": digest,
            "kind": base.kind,
            "kernels": kernels,
            "packages": len(_lines(folder / "packages")),
        },
        cached=cached,
    )
    return Image(spec, digest, base, kernels, stage)


def _built(request: ImageRequest, recipe: str, name: str, engine: Engine, progress: Progress) -> str:
    """The image's digest. A userland of which none can be made is forgotten."""
    spec, lock = request.spec, request.lock
    try:
        with progress.step(f"build image {name}") as step:
            return engine.build(recipe, name, request.log, step.note)
    except Failure as bad:
        if request.userland:
            forget_userland(spec, engine)
        raise locks.explained(bad, lock, spec, request.log) if lock else bad from bad


def _held(lock: Lock, installed: Path, spec: Spec, name: str, engine: Engine) -> None:
    """An image that is not as its lock says is not kept."""
    try:
        locks.held(lock, installed, spec)
    except Failure:
        engine.remove_images([name])
        raise


def _lock_input(lock: Lock | None) -> dict[str, str]:
    return {"lock": f"sha256:{lock.digest}"} if lock else {}


def _kernels_of(spec: Spec) -> Spec:
    """The distribution whose kernel stands in. Raises UserError where the facts name none."""
    if spec.kernel.stand_in is None:
        raise UserError(
            f"no kernel stands in for one of {spec.distribution.title}",
            "leave --stand-in out; with a 2.4 distribution, give a source tree with --tree DIR",
        )
    return specs.load(spec.kernel.stand_in)


def _with_kernel(request: ImageRequest, engine: Engine, progress: Progress) -> Base:
    """The image of the distribution whose kernel stands in, as a base."""
    other = _kernels_of(request.spec)
    made = make_image(ImageRequest(other, request.epoch, request.log, request.renew), engine, progress)
    title = request.spec.name
    return Base(made.digest, f"the image of {other.name}, whose kernel stands in for {title}'s", "stand-in")


def _take_out(spec: Spec, engine: Engine, digest: str, log: Path, progress: Progress) -> Path:
    """Kernel images and lists from the image into the cache, once."""
    folder = _folder(digest)
    if not folder.exists():
        wanted = f"{KIT}/boot/* {KIT}/kernels {KIT}/packages"
        command = f'for f in {wanted}; do test ! -f "$f" || cp "$f" /job/out/; done'
        with progress.step("take kernel images out of the image") as step:
            found = engine.run(Job(digest, ["sh", "-c", command], {}, log, {}), step.note).files
        with folder_whole(folder) as work:
            for path, content in found.items():
                write_whole(work / path, content)
    return folder


def _recipe(spec: Spec, base: Base, lock: Lock | None = None) -> str:
    below = {"style": style_of, "stand-in": _kernels_of}.get(base.kind, lambda _: None)
    return dockerfile(spec, base.digest, base.kind, below(spec), lock.pins if lock else ())


def _name(spec: Spec, base: Base, lock: Lock | None = None) -> str:
    return f"hamkit/{spec.name}:{sha256_text(_recipe(spec, base, lock))[:16]}"


def _folder(digest: str) -> Path:
    return cache_root() / "images" / digest.removeprefix("sha256:")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
