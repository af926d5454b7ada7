"""Kernel trees: their facts and the patch series for them."""

import sys
from dataclasses import replace
from pathlib import Path

from invoke import Context, task

from hamkit import show
from hamkit.fetch.source import find_source
from hamkit.files import project_root
from hamkit.kernel import facts as kernel_facts
from hamkit.progress import Reporter
from hamkit.render.series import SeriesRequest, render_series, unsupported
from hamkit.tasks.common import TREE, help_for, leave, told
from hamkit.tasks.sources import patched_tree

DISTRO = {"distro": "distribution whose spec says where its 2.4 kernel's source is"}


@task(help={"tree": TREE} | DISTRO | help_for("json"))
def facts(_: Context, tree: str = "", distro: str = "", json: bool = False) -> None:
    """Version, vendor and probed facts of a 2.4 kernel tree, and what makes it unsupported."""
    with told(json):
        found = kernel_facts.probe(find_source(patched_tree(distro, tree), Reporter()).root)
        found = replace(found, unsupported=unsupported(found))
        title = f"Linux {found.identity.release}"
        show.either(json, found.as_json(), title, kernel_facts.COLUMNS, found.rows())
        lines = [f"unsupported: {reason}" for reason in found.unsupported]
        lines += [f"does not compile, patched or not: {reason}" for reason in found.unbuildable]
        print(
            "\n".join([*lines, *found.caveats]), file=sys.stderr, end="\n" if lines or found.caveats else ""
        )
        if found.unsupported:
            raise leave(1)


@task(
    help={"tree": TREE, "reserve_mb": "kernel address space for struct pages, MiB"}
    | DISTRO
    | help_for("out", "json")
)
def patch(
    _: Context, tree: str = "", distro: str = "", out: str = "", reserve_mb: int = 128, json: bool = False
) -> None:
    """The hot-add patch series for a 2.4 kernel tree, which is not changed."""
    with told(json):
        source = find_source(patched_tree(distro, tree), Reporter())
        folder = Path(out) if out else project_root() / "build" / f"series-{distro or Path(tree).name}"
        made = render_series(SeriesRequest(source.root, folder, reserve_mb), Reporter())
        show.outcome(json, source.origin, [made.stage], {"files": made.patches})
