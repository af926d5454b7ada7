"""A series applied to a copy of the tree that it was rendered for, by GNU patch and without fuzz."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from hamkit.errors import Failure
from hamkit.files import scratch_folder, sha256_file
from hamkit.render.series import SeriesResult, check_tree
from hamkit.render.series.render import MANIFEST
from hamkit.run import run


def apply_series(series: SeriesResult, tree: Path, log: Path | None = None) -> None:
    """Apply all patches of a series, in order.

    Raises UserError when the tree is another one, Failure when a patch does not fit where it says it does.
    """
    check_tree(series.folder, tree)
    for path in series.patches:
        argv = ["patch", "-p1", "--fuzz=0", "--batch", "--no-backup-if-mismatch", "-i", str(path)]
        done = run(argv, package="patch", cwd=tree, log=log, check=False)
        misfits = [line for line in done.stdout.splitlines() if "offset" in line or "FAILED" in line]
        if done.returncode or misfits:
            said = "; ".join(misfits) or done.stderr.strip() or done.stdout.strip()
            raise Failure(f"{path.name} does not apply: {said}", "render the series for this tree")


def try_series(series: SeriesResult, root: Path) -> int:
    """Apply a series to a copy of what it touches of the tree at ``root``; how many files it changed.

    Raises UserError and Failure as ``apply_series`` does, Failure too when a file comes out otherwise than
    it was rendered.
    """
    files = json.loads((series.folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    with scratch_folder("applies") as work:
        for name, state in files.items():
            if state["before"] is not None:
                (work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / name, work / name)
        apply_series(series, work)
        wrong = [name for name, state in files.items() if sha256_file(work / name) != state["after"]]
    if wrong:
        raise Failure(f"patched, {', '.join(wrong)} is not what was rendered", "render the series again")
    return len(files)
