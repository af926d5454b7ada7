"""The series of a tree, rendered once: kept in the cache under the digest of the tree and of what renders."""

from __future__ import annotations

import json
from pathlib import Path

from filelock import FileLock

from hamkit import __version__
from hamkit.files import cache_root, project_root, sha256_text, sha256_tree
from hamkit.kernel.facts import KernelFacts, probe
from hamkit.kernel.source import KernelSource
from hamkit.progress import Progress
from hamkit.render.series.render import (
    MANIFEST,
    SeriesRequest,
    SeriesResult,
    render_series,
    series_result,
)

LAYOUT = "1"  # of a series' folder in the cache
RENDERERS = ("patches", "templates/kernel", "hamkit/render", "hamkit/kernel")  # what a series is made by


def cached_series(
    source: KernelSource,
    reserve_mb: int,
    progress: Progress,
    renew: bool = False,
    facts: KernelFacts | None = None,
) -> SeriesResult:
    """Render the series for a source, or take it from the cache; ``facts``: the tree's, if known. Raises as
    ``render_series`` does."""
    folder = series_folder(source, reserve_mb)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if renew or not folder.is_dir():
            return render_series(SeriesRequest(source.root, folder, reserve_mb), progress)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return series_result(folder, manifest, facts or probe(source.root), seconds=0.0, cached=True)


def series_folder(source: KernelSource, reserve_mb: int) -> Path:
    """Where the series of a source lies."""
    made_by = [sha256_tree(project_root() / name, (".pyc",)) for name in RENDERERS]
    key = sha256_text(LAYOUT, __version__, source.digest, str(reserve_mb), *made_by)
    return cache_root() / "series24" / key
