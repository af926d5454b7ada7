"""The Dockerfile of a distribution's build image, from its facts."""

from __future__ import annotations

import shlex
from typing import Any, Literal

from hamkit import LABEL
from hamkit.render.environment import render
from hamkit.specs import Spec

KIT = "/usr/lib/hamkit"  # where the image keeps kernel images, releases and package versions
FILE_DIGEST_NUMBERS = {"md5": 1, "sha1": 2, "sha256": 8, "sha384": 9, "sha512": 10}

STAND_INS = (
    ("akmod", "/usr/bin/kmodtool", "755"),
    ("kmp", "/etc/rpm/macros.kernel-module-package", "644"),
)
"""Tools of module packages that no other distribution has: convention, place and mode of what does their
part in an image with a kernel that stands in."""

Kind = Literal["own", "style", "stand-in", "userland"]
"""A base of the distribution itself, another one's to be set up in its style, that with the other one's
kernel for its own, a user's root file system."""


def dockerfile(
    spec: Spec, base: str, kind: Kind = "own", style_base: Spec | None = None, pins: tuple[str, ...] = ()
) -> str:
    """Dockerfile text on top of the image ``base`` (a digest, ``sha256:...``).

    ``style_base`` is the distribution that ``base`` is of where that is not ``spec``; ``pins`` are all
    packages with their versions, as apt-get takes them (a lock), empty for the newest.
    """
    below = style_base or spec
    facts = {
        "title": spec.distribution.title,
        "name": spec.name,
        "label": LABEL,
        "base": base,
        "kit": KIT,
        "frozen": below.image.frozen,
        "mirror": below.image.mirror,
        "suite": below.image.suite,
        "packages": spec.image.style_packages if kind == "style" else spec.image.packages,
        "folders": _folders(spec),
        "stand_in": None,
        "pins": pins,
    }
    if kind == "own":
        return render(f"image/{spec.distribution.family}.Dockerfile.j2", facts | _kernels(spec))
    if kind == "userland":
        return render("image/userland.Dockerfile.j2", facts)
    facts |= {
        "macros": [shlex.quote(f"%{name} {body}") for name, body in style_macros(spec).items()],
        "platform": spec.rpm.target,
        "foreign": any(":" in package for package in spec.image.style_packages),
    }
    if kind == "stand-in":
        facts |= {"packages": _stand_in_packages(spec), "stand_in": _stand_in(spec, below)}
    return render("image/style.Dockerfile.j2", facts)


def _stand_in_packages(spec: Spec) -> tuple[str, ...]:
    more = ("dkms",) if "dkms" in spec.kernel.conventions else ()
    return (*spec.image.style_packages, *more)


def _stand_in(spec: Spec, below: Spec) -> dict[str, Any]:
    """What lets the module packages of one distribution be compiled for another one's kernel."""
    flavour = spec.kernel.default_flavour
    return {
        "flavour": flavour,
        "of": below.kernel.default_flavour,
        "headers": below.kernel.build_tree.format(release="$release", flavour=below.kernel.default_flavour),
        "build_tree": spec.kernel.build_tree.format(release="$release", flavour=flavour),
        "parts": [
            {"path": path, "mode": mode, "lines": [shlex.quote(line) for line in text.splitlines()]}
            for name, path, mode in STAND_INS
            if name in spec.kernel.conventions
            for text in (render(f"image/stand-in/{name}.j2", {"flavour": flavour}),)
        ],
    }


def format_macros(spec: Spec) -> dict[str, str]:
    """The macros that make rpm write packages in the format that the distribution's rpm reads."""
    digest = str(FILE_DIGEST_NUMBERS[spec.rpm.file_digest])
    return {
        "_topdir": spec.rpm.topdir,
        "_builddir": f"{spec.rpm.topdir}/BUILD",
        "_source_payload": spec.rpm.source_payload,
        "_binary_payload": spec.rpm.source_payload,
        "_source_filedigest_algorithm": digest,
        "_binary_filedigest_algorithm": digest,
        "_rpmformat": "4",
    }


def style_macros(spec: Spec) -> dict[str, str]:
    """What stands in /etc/rpm/macros of an image in the distribution's style."""
    return format_macros(spec) | dict(spec.rpm.macros)


def _folders(spec: Spec) -> list[str]:
    return [f"{spec.rpm.topdir}/{name}" for name in ("BUILD", "RPMS", "SOURCES", "SPECS", "SRPMS")]


def _kernels(spec: Spec) -> dict[str, Any]:
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
    return {"headers_packages": [f["headers_package"] for f in flavours], "flavours": flavours}
