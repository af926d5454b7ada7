"""The RPM specs of HAM in a distribution's dialect."""

from __future__ import annotations

import re
from typing import Any

from hamkit import __version__
from hamkit.render.changelog import Entry
from hamkit.render.environment import render
from hamkit.specs import Spec

PACKAGER = "hamkit"
MAIN = "ham.spec"
AKMOD = "ham-kmod.spec.in"  # not .spec: a source RPM has one spec file


def flavour_macro(flavour: str) -> str:
    """The flavour as part of an rpm macro name: no dash."""
    return flavour.replace("-", "_")


def rpm_specs(spec: Spec, changelog: tuple[Entry, ...]) -> dict[str, str]:
    """Spec files by name, the one to build first; ``changelog`` is newest first."""
    kernel = spec.kernel
    names = [MAIN, *([AKMOD] if "akmod" in kernel.conventions else [])]
    headers = [kernel.headers_package.format(flavour=f) for f in kernel.flavours]
    facts = words(spec, changelog) | {
        "kernel": kernel,
        "conventions": kernel.conventions,
        "flavours": _flavours(spec),
        "build_needs": [*spec.image.packages, *headers],
        "build_requires": _build_requires(spec),
        "sources": ["%{name}-%{version}.tar.gz", *names[1:]],
    }
    return {name: tidy(render(f"spec/{name}.j2", facts)) for name in names}


def words(spec: Spec, changelog: tuple[Entry, ...]) -> dict[str, Any]:
    """What every spec file of a distribution is rendered with."""
    release = spec.dialect.release.replace("{suffix}", spec.rpm.release_suffix)
    return {
        "title": spec.distribution.title,
        "version": __version__,
        "release": release,
        "changelog_release": release.removesuffix("%{?dist}"),
        "d": spec.dialect,
        "packager": PACKAGER,
        "changelog": changelog,
    }


def tidy(text: str) -> str:
    """No more than one empty line at a time, none at the end."""
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"


def _flavours(spec: Spec) -> list[dict[str, Any]]:
    """Names and, for kernel-source, what makes the flavour; ``everywhere``: no %ifarch is needed."""
    found = []
    for name in spec.kernel.flavours:
        flavour: dict[str, Any] = {"name": name, "macro": flavour_macro(name)}
        if variant := spec.kernel.variants.get(name):
            everywhere = set(spec.dialect.architectures) <= set(variant.processors)
            flavour |= variant.model_dump() | {"boot_macro": variant.macro, "everywhere": everywhere}
            flavour["macro"] = flavour_macro(name)
        found.append(flavour)
    return found


def _build_requires(spec: Spec) -> tuple[str, ...]:
    """What the distribution's own packages must bring; Debian's rpm knows of none."""
    if "kernel-source" in spec.kernel.conventions:
        return (spec.kernel.headers_package,)
    return () if spec.distribution.family == "debian" else spec.compiler.packages
