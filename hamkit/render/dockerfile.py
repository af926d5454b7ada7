"""The Dockerfile of a distribution's build image, from its facts."""

from __future__ import annotations

from hamkit.render.environment import render
from hamkit.specs import Spec

KIT = "/usr/lib/hamkit"  # where the image keeps kernel images, releases and package versions


def dockerfile(spec: Spec, base: str) -> str:
    """Dockerfile text on top of the image ``base`` (a digest, ``sha256:...``)."""
    kernel = spec.kernel
    flavours = [
        {
            "name": name,
            "headers_package": kernel.headers_package.format(flavour=name),
            "image_packages": [p.format(release="$release") for p in kernel.image_packages],
            "image_path": kernel.image_path.format(release="$release"),
        }
        for name in kernel.flavours
    ]
    facts = {
        "title": spec.distribution.title,
        "base": base,
        "kit": KIT,
        "frozen": spec.image.frozen,
        "packages": spec.image.packages,
        "headers_packages": [f["headers_package"] for f in flavours],
        "flavours": flavours,
    }
    return render(f"image/{spec.distribution.family}.Dockerfile.j2", facts)
