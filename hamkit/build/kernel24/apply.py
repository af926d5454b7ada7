"""A series applied to a copy of the tree that it was rendered for, by GNU patch and without fuzz."""

from __future__ import annotations

from pathlib import Path

from hamkit.errors import Failure
from hamkit.render.series import SeriesResult, check_tree
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
