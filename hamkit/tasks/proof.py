"""The kernel held against the model: boot, judge, model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context, task

from hamkit import scenarios, show
from hamkit.courses.linux24 import TreePipeline
from hamkit.model import expectation
from hamkit.progress import Reporter
from hamkit.prove.console import judge as judge_log
from hamkit.stage import Verdict
from hamkit.tasks.common import given, help_for, leave, told
from hamkit.tasks.sources import asked_tree, compiler_of, own_kernel
from hamkit.tasks.stages import show_plan, show_stages
from hamkit.tasks.trees import tree_request

if TYPE_CHECKING:
    from hamkit.courses.distribution import Pipeline


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
            flags = (testing, renew, keep, stand_in)
            pipeline = _of_distribution(distro, flavour or None, scenario or None, flags)
        if dry_run:
            return show_plan(pipeline, "prove", json)
        with pipeline.locked():
            booted = pipeline.booted
            compared = pipeline.proved if booted.stage.verdict is Verdict.PASS else None
        if compared and not json:
            show.run(compared)
        print(f"logs: {pipeline.logs}", file=sys.stderr)
        return show_stages(pipeline, json, comparison=compared)


def _of_distribution(
    distro: str, flavour: str | None, scenario: str | None, flags: tuple[bool, bool, bool, bool]
) -> Pipeline:
    from hamkit.courses.distribution import Pipeline  # noqa: PLC0415 - with Docker's client: a tree needs none of it
    from hamkit.tasks.requests import request_for  # noqa: PLC0415

    return Pipeline(request_for(distro, flavour, scenario, *flags), Reporter())


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
