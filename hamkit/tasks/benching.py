"""What hot-add and this tool cost: bench."""

import sys

from invoke import Context, task
from pydantic_core import to_jsonable_python

from hamkit import show
from hamkit.courses.distribution import Pipeline, Request
from hamkit.courses.overhead import OverheadPipeline, OverheadRequest
from hamkit.errors import UserError
from hamkit.progress import Reporter
from hamkit.prove import bench as benching
from hamkit.stage import Verdict
from hamkit.tasks.common import help_for, leave, told
from hamkit.tasks.requests import request_for
from hamkit.tasks.sources import asked_tree, compiler_of, own_kernel


@task(
    help={"rounds": "boots of each kind"}
    | help_for("distro", "tree", "flavour", "highmem", "toolchain", "json", "renew")
)
def bench(
    _: Context,
    distro: str = "",
    tree: str = "",
    flavour: str = "",
    highmem: str = "",
    toolchain: str = "",
    rounds: int = 3,
    json: bool = False,
    renew: bool = False,
) -> None:
    """A patched 2.4 kernel against the stock one in instructions; or the boot stage against a bare boot."""
    with told(json):
        source = asked_tree(distro, tree)
        if rounds < 1:
            raise UserError(f"--rounds {rounds} measures nothing", "give 1 or more")
        if source:
            wanted = own_kernel(distro, flavour, highmem) if distro else (flavour, highmem)
            compiler = compiler_of(distro, toolchain)
            return _overhead(OverheadRequest(source, *wanted, compiler, rounds, renew), json)
        return _boot_ratio(request_for(distro, flavour or None, renew=renew), rounds, json)


def _overhead(request: OverheadRequest, json: bool) -> None:
    pipeline = OverheadPipeline(request, Reporter())
    with pipeline.locked():
        made = pipeline.result
    if json:
        show.as_json({**to_jsonable_python(made), "stages": pipeline.results})
    else:
        show.overhead(made)
    print(f"logs: {pipeline.logs}", file=sys.stderr)
    if made.verdict is not Verdict.PASS:
        raise leave(show.exit_code(made.verdict))


def _boot_ratio(request: Request, rounds: int, json: bool) -> None:
    pipeline = Pipeline(request, Reporter())
    with pipeline.locked():
        measured = benching.boot_ratio(pipeline.boot_request, rounds, pipeline.progress)
    if json:
        show.as_json(measured.facts())
        return
    ways = (("plain", measured.plain), ("alike", measured.alike), ("stage", measured.stage))
    rows = [
        (way, " ".join(f"{c.wall:.2f}" for c in costs), " ".join(f"{c.cpu:.2f}" for c in costs))
        for way, costs in ways
    ]
    show.table(f"boot of {pipeline.subject}, seconds in each round", ("way", "clock", "processor"), rows)
    print(
        f"stage to plain {measured.to_plain:.3f}, to alike {measured.to_alike:.3f}, "
        f"processor time to plain {measured.cpu_to_plain:.3f}"
    )
