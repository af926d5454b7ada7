"""Tells whether a tree is the one that a series was rendered for."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from hamkit.errors import UserError


def check_tree(series: Path, tree: Path) -> None:
    """Hold the files of a tree against a series' manifest.

    Raises UserError naming the files that differ, or saying that the series is applied already.
    """
    files = _manifest(series)["files"]
    found = {path: _digest(tree / path) for path in files}
    if all(found[path] == state["after"] for path, state in files.items()):
        raise UserError(f"the series is applied to {tree} already", "give the tree as it was before")
    other = [path for path, state in files.items() if found[path] != state["before"]]
    if other:
        raise UserError(
            f"the series was rendered for another tree: {', '.join(other)} differ{'s' * (len(other) == 1)}",
            "render the series for this tree",
        )


def _manifest(series: Path) -> dict[str, Any]:
    path = series / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "give the folder of a series") from bad
    except ValueError as bad:
        raise UserError(f"{path} is no manifest: {bad}", "render the series again") from bad
    return manifest


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
