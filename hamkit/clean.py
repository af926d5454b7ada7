"""Removes what hamkit made. A user's kernels and toolchains in the cache are never touched."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from hamkit.build.engine import Engine
from hamkit.files import cache_root, project_root

MADE = (
    *("digests", "images", "kernels24", "last", "locks", "logs", "matrix", "modules24", "overhead"),
    *("programs24", "rpms", "runs", "series24", "spatch", "srpm", "templates", "trees", "work"),
)


@dataclass(frozen=True)
class Cleaned:
    """Folders and images that were, or would be, removed."""

    folders: tuple[Path, ...]
    images: tuple[str, ...]


def plan(engine: Engine | None) -> Cleaned:
    """What ``clean`` would remove; images only when an engine is given."""
    folders = [cache_root() / name for name in MADE] + [project_root() / "build"]
    images = engine.our_images() if engine else ()
    return Cleaned(tuple(f for f in folders if f.exists()), images)


def clean(engine: Engine | None) -> Cleaned:
    """Remove it. Raises Failure when the engine refuses."""
    planned = plan(engine)
    for folder in planned.folders:
        shutil.rmtree(folder)
    if engine:
        engine.remove_images(planned.images)
    return planned
