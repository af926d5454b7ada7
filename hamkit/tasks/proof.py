"""The kernel held against the model: boot, judge, model, bench."""

import sys
from pathlib import Path

from invoke import Context, task
from pydantic_core import to_jsonable_python

from hamkit import scenarios, show
from hamkit.errors import UserError
from hamkit.model import expectation
from hamkit.overhead import OverheadPipeline, OverheadRequest
from hamkit.pipeline import Pipeline, Request
from hamkit.pipeline24 import TreePipeline
from hamkit.progress import Reporter
from hamkit.prove import bench as benching
from hamkit.prove.console import judge as judge_log
from hamkit.stage import Verdict
from hamkit.tasks.common import given, help_for, leave, told
from hamkit.tasks.requests import request_for, show_plan, show_stages, tree_request
from hamkit.tasks.sources import asked_tree, compiler_of, own_kernel


@task(
    help=help_for(
        "distro", "tree", "flavour", "highmem", "scenario", "toolchain", "reserve_mb", "modversions"
    )
    | help_for("stand_in", "testing", "json", "dry_run", "renew", "keep")
)
def boot(
    _: Context,
    distro: str = "",
    tree: str = "",
    flavour: str = "",
    highmem: str = "",
    scenario: str = "",
    toolchain: str = "",
    reserve_mb: int = 0,
    modversions: bool = False,
    stand_in: bool = False,
    testing: bool = False,
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """Boot a distribution's kernel or a patched 2.4 tree in QEMU, hot-add memory, compare with the model."""
    with told(json):
        source = asked_tree(distro, tree)
        pipeline: Pipeline | TreePipeline
        if source:
            wanted = own_kernel(distro, flavour, highmem) if distro else (flavour, highmem)
            kernel = (*wanted, compiler_of(distro, toolchain), reserve_mb, modversions)
            pipeline = TreePipeline(tree_request(source, scenario, *kernel, testing, renew, keep), Reporter())
        else:
            request = request_for(distro, flavour or None, scenario or None, testing, renew, keep, stand_in)
            pipeline = Pipeline(request, Reporter())
        if dry_run:
            return show_plan(pipeline, "prove", json)
        with pipeline.locked():
            booted = pipeline.booted
            compared = pipeline.proved if booted.stage.verdict is Verdict.PASS else None
        if compared and not json:
            show.run(compared)
        print(f"logs: {pipeline.logs}", file=sys.stderr)
        return show_stages(pipeline, json, comparison=compared)


@task(help={"console": "console log of any run, whole or cut short"} | help_for("json"))
def judge(_: Context, console: str = "", json: bool = False) -> None:
    """Judge a console log again: how far the boot came, and what stopped it."""
    with told(json):
        verdict = judge_log(Path(given("console", console, "FILE")))
        row = (verdict.verdict, verdict.outcome, verdict.state, verdict.step, verdict.detail)
        show.either(json, verdict, console, ("verdict", "outcome", "state", "step", "detail"), [row])
        print("\n".join(verdict.lines), file=sys.stderr)
        if verdict.verdict is not Verdict.PASS:
            raise leave(show.exit_code(verdict.verdict))


@task(help=help_for("scenario", "json"))
def model(_: Context, scenario: str = "", json: bool = False) -> None:
    """What the reference model expects of a scenario, step by step."""
    with told(json):
        wanted = scenarios.load(Path(scenario) if scenario else None)
        if json:
            whole = [expectation.expectation(wanted, line) for line in wanted.lines]
            show.as_json(whole[0] if len(whole) == 1 else {"expectations": whole})
        for line in () if json else wanted.lines:
            rows = expectation.rows(wanted, line)
            show.table(f"{wanted.name}, {line}", expectation.ROW_TITLES, rows)


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
