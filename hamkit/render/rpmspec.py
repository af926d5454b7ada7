"""The RPM spec of HAM in a distribution's dialect."""

from __future__ import annotations

from hamkit import __version__
from hamkit.render.changelog import Entry
from hamkit.render.environment import render
from hamkit.specs import Spec


def flavour_macro(flavour: str) -> str:
    """The flavour as part of an rpm macro name: no dash."""
    return flavour.replace("-", "_")


def rpm_spec(spec: Spec, changelog: tuple[Entry, ...]) -> str:
    """Spec file text; ``changelog`` is newest first."""
    flavours = [{"name": f, "macro": flavour_macro(f)} for f in spec.kernel.flavours]
    headers = [spec.kernel.headers_package.format(flavour=f) for f in spec.kernel.flavours]
    facts = {
        "title": spec.distribution.title,
        "version": __version__,
        "release": f"1{spec.rpm.release_suffix}",
        "flavours": flavours,
        "build_needs": [*spec.image.packages, *headers],
        "changelog": changelog,
    }
    return render(f"spec/{spec.rpm.spec_dialect}.spec.j2", facts)
