"""What pipelines show: their plan, and how each stage ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hamkit import show
from hamkit.tasks.common import leave

if TYPE_CHECKING:  # neither waits for the other's modules
    from hamkit.courses.distribution import Pipeline
    from hamkit.courses.linux24 import TreePipeline


def show_plan(pipeline: Pipeline | TreePipeline, last: str, json: bool) -> None:
    plan = pipeline.plan()
    wanted = plan[: [p.stage for p in plan].index(last) + 1]
    rows = [(p.stage, p.action, "cached" if p.cached else "to do") for p in wanted]
    show.either(json, wanted, f"plan for {pipeline.subject}", ("stage", "action", "state"), rows)


def show_stages(pipeline: Pipeline | TreePipeline, json: bool, **more: object) -> None:
    code = show.outcome(json, pipeline.subject, pipeline.results, more)
    if code:
        raise leave(code)
