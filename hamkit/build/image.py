"""The build image of a distribution, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hamkit.build.base import Base, find_base, make_base
from hamkit.build.engine import Engine, Job
from hamkit.errors import UserError
from hamkit.files import cache_root, folder_whole, sha256_text, write_whole
from hamkit.progress import Progress
from hamkit.render.dockerfile import KIT, dockerfile
from hamkit.specs import Spec
from hamkit.stage import StageResult, Stopwatch, Verdict


@dataclass(frozen=True)
class ImageRequest:
    """``renew`` makes the image anew even when an image of the same recipe is there."""

    spec: Spec
    epoch: int
    log: Path
    renew: bool = False


@dataclass(frozen=True)
class Image:
    """A build image by digest; ``kernels`` maps flavour to release."""

    spec: Spec
    digest: str
    base: Base
    kernels: Mapping[str, str]
    stage: StageResult

    def release(self, flavour: str | None) -> str:
        """Kernel release of a flavour (None: the default). Raises UserError on an unknown one."""
        name = flavour or self.spec.kernel.default_flavour
        if name not in self.kernels:
            raise UserError(
                f"{self.spec.name} has no kernel flavour {name!r}", f"one of: {', '.join(self.kernels)}"
            )
        return self.kernels[name]

    def boot_file(self, release: str) -> Path:
        """The distribution's own kernel image (bzImage)."""
        return _folder(self.digest) / f"vmlinuz-{release}"

    @property
    def packages(self) -> Path:
        """What is installed in the image: a line a package, name, version, architecture."""
        return _folder(self.digest) / "packages"


def plan_image(spec: Spec, engine: Engine) -> tuple[str, bool]:
    """Name of the image that ``make_image`` would use, and whether it is there already."""
    base = find_base(spec, engine)
    if base is None:
        return f"hamkit/{spec.name}:(base to be made)", False
    name = _name(spec, base)
    return name, engine.image_id(name) is not None


def make_image(request: ImageRequest, engine: Engine, progress: Progress) -> Image:
    """Build the image of a distribution, or take the one of the same recipe and base."""
    watch, spec = Stopwatch(), request.spec
    engine.sweep()
    base = None if request.renew else find_base(spec, engine)
    if base is None:
        base = make_base(spec, engine, request.epoch, request.log, progress)
    recipe, name = dockerfile(spec, base.digest), _name(spec, base)
    digest = None if request.renew else engine.image_id(name)
    cached = digest is not None
    if digest is None:
        with progress.step(f"build image {name}") as step:
            digest = engine.build(recipe, name, request.log, step.note)
    folder = _take_out(spec, engine, digest, request.log, progress)
    kernels = dict(line.split() for line in (folder / "kernels").read_text().splitlines())
    stage = StageResult(
        "image",
        Verdict.PASS,
        watch.seconds,
        f"{name} on {base.origin}",
        inputs={"base": base.digest, "recipe": f"sha256:{sha256_text(recipe)}"},
        facts={"image": digest, "kernels": kernels, "packages": len(_lines(folder / "packages"))},
        cached=cached,
    )
    return Image(spec, digest, base, kernels, stage)


def _take_out(spec: Spec, engine: Engine, digest: str, log: Path, progress: Progress) -> Path:
    """Kernel images and lists from the image into the cache, once."""
    folder = _folder(digest)
    if not folder.exists():
        command = f"cp {KIT}/boot/* {KIT}/kernels {KIT}/packages /job/out/"
        with progress.step("take kernel images out of the image") as step:
            found = engine.run(Job(digest, ["sh", "-c", command], {}, log, {}), step.note).files
        with folder_whole(folder) as work:
            for path, content in found.items():
                write_whole(work / path, content)
    return folder


def _name(spec: Spec, base: Base) -> str:
    return f"hamkit/{spec.name}:{sha256_text(dockerfile(spec, base.digest))[:16]}"


def _folder(digest: str) -> Path:
    return cache_root() / "images" / digest.removeprefix("sha256:")


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
