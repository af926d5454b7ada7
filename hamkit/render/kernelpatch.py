"""The package of kernel patches: spec, README and configuration around a rendered series."""

from __future__ import annotations

from hamkit import __version__
from hamkit.errors import UserError
from hamkit.render.changelog import Entry
from hamkit.render.environment import render
from hamkit.render.rpmspec import tidy, words
from hamkit.render.series import SeriesResult
from hamkit.specs import Spec

NAME = "ham-kernel-patch"
MAIN = f"{NAME}.spec"
SOURCES = {"readme": f"{NAME}.README", "series": f"{NAME}.series", "config": f"{NAME}.config"}
MANIFEST = f"{NAME}.manifest.json"


def check_line(spec: Spec) -> None:
    """Raises UserError where the distribution's kernels need no patch."""
    if spec.distribution.line != "2.4":
        raise UserError(
            f"the kernels of {spec.name} take memory in by themselves: there is nothing to patch",
            "this is for distributions with Linux 2.4",
        )


def kernel_patch_files(spec: Spec, series: SeriesResult, changelog: tuple[Entry, ...]) -> dict[str, bytes]:
    """Everything that goes into the source RPM, by name; ``changelog`` is newest first."""
    identity = series.facts.identity
    base = words(spec, changelog)
    release = base["release"].replace("1", f"1_{identity.release.replace('-', '_')}", 1)
    facts = base | {
        "release": release,
        "changelog_release": release,
        "kernel": identity.release,
        "version_only": identity.version,
        "vendor": identity.vendor,
        "tree": spec.kernel.build_tree,
        "headers": spec.kernel.headers_package,
        "highmem": "4G" if series.facts["pae_top_level"] == "empty_page" else "64G",
        "large": next((name for name, v in spec.kernel.variants.items() if v.highmem == "64G"), ""),
        "folder": f"/usr/src/{NAME}-{__version__}",
        "reserve_mb": series.stage.facts["reserve_mb"],
        "patches": [path.name for path in series.patches],
        "manifest": MANIFEST,
        **SOURCES,
    }
    made = {name: render(f"spec/{name}.j2", facts) for name in (MAIN, SOURCES["readme"], SOURCES["config"])}
    files = {name: tidy(text).encode() for name, text in made.items()}
    files[SOURCES["series"]] = (series.folder / "series").read_bytes()
    files[MANIFEST] = (series.folder / "manifest.json").read_bytes()
    return files | {path.name: path.read_bytes() for path in series.patches}
