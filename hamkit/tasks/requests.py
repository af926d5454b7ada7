"""From the flags of a task to the request of a pipeline; and what pipelines show."""

from pathlib import Path

from hamkit import scenarios, show
from hamkit.model.scenario import Line
from hamkit.pipeline import Pipeline, Request
from hamkit.pipeline24 import TreePipeline, TreeRequest
from hamkit.tasks.common import leave
from hamkit.tasks.sources import spec_of


def tree_request(
    tree: str,
    scenario: str | None,
    flavour: str | None,
    highmem: str = "",
    toolchain: str = "",
    reserve_mb: int = 0,
    modversions: bool = False,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> TreeRequest:
    return TreeRequest(
        tree=tree,
        scenario=scenarios.load(Path(scenario), Line.LINUX24) if scenario else None,
        flavour=flavour or "",
        highmem=highmem,
        toolchain=toolchain,
        reserve_mb=reserve_mb or None,
        modversions=modversions,
        testing=testing,
        renew=renew,
        keep=keep,
    )


def request_for(
    distro: str,
    flavour: str | None = None,
    scenario: str | None = None,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
    stand_in: bool = False,
) -> Request:
    return Request(
        spec=spec_of(distro),
        scenario=scenarios.load(Path(scenario) if scenario else None, Line.MAINLINE),
        flavour=flavour,
        testing=testing,
        renew=renew,
        keep=keep,
        stand_in=stand_in,
    )


def show_plan(pipeline: Pipeline | TreePipeline, last: str, json: bool) -> None:
    plan = pipeline.plan()
    wanted = plan[: [p.stage for p in plan].index(last) + 1]
    rows = [(p.stage, p.action, "cached" if p.cached else "to do") for p in wanted]
    show.either(json, wanted, f"plan for {pipeline.subject}", ("stage", "action", "state"), rows)


def show_stages(pipeline: Pipeline | TreePipeline, json: bool, **more: object) -> None:
    code = show.outcome(json, pipeline.subject, pipeline.results, more)
    if code:
        raise leave(code)
