"""Random scenarios, kernel against model."""

import sys
from dataclasses import replace
from pathlib import Path

from invoke import Context, task

from hamkit import show
from hamkit.courses.distribution import Pipeline
from hamkit.courses.linux24 import TreePipeline
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.model.scenario import Line
from hamkit.progress import Reporter
from hamkit.prove.fuzz import finding
from hamkit.prove.fuzz.campaign import Stand, campaign
from hamkit.prove.fuzz.draw import Ground, draw
from hamkit.prove.fuzz.stand24 import Stand24
from hamkit.prove.fuzz.stand_mainline import StandMainline
from hamkit.stage import Verdict
from hamkit.tasks.common import help_for, leave, told
from hamkit.tasks.requests import request_for
from hamkit.tasks.sources import asked_tree
from hamkit.tasks.trees import tree_request

LEAST_BOOT = 192 << 20  # bytes; in less a distribution's kernel has no room for what is drawn
MOST_RUNS, MOST_JOBS = 100_000, 64


@task(
    help=help_for("distro", "tree", "highmem", "out", "json")
    | {
        "runs": "scenarios to run",
        "seed": "the same seed draws the same scenarios",
        "jobs": "machines at a time",
    }
)
def fuzz(
    _: Context,
    distro: str = "",
    tree: str = "",
    highmem: str = "",
    runs: int = 50,
    seed: int = 1,
    jobs: int = 2,
    json: bool = False,
    out: str = "",
) -> None:
    """Random scenarios on a distribution's kernel or a patched 2.4 tree, each number against the model."""
    with told(json):
        source = asked_tree(distro, tree)
        if not (1 <= runs <= MOST_RUNS and 1 <= jobs <= MOST_JOBS and seed >= 0):
            raise UserError(
                f"--runs {runs} --jobs {jobs} --seed {seed} cannot be",
                f"1 to {MOST_RUNS} runs, 1 to {MOST_JOBS} jobs, a seed of 0 or more",
            )
        if highmem and not source:
            raise UserError("--highmem is for --tree", "a distribution's kernel comes as it is")
        subject, ground, stand = _for_tree(source, highmem) if source else _for_distribution(distro)
        result = campaign(draw(ground, seed, runs), stand, Reporter(), jobs)
        folder = Path(out) if out else project_root() / "build" / "fuzz" / subject
        about = {"subject": subject, "seed": seed, "jobs": jobs}
        paths = finding.write(result, folder, about)
        if json:
            show.as_json(about | finding.as_json(result) | {"files": [str(p) for p in paths]})
        else:
            for found in result.findings:
                print(finding.words(found))
            shown = (result.verdict, result.runs, result.steps, result.values, result.boots)
            row = (*shown, f"{result.seconds:.0f}", f"{result.a_minute:.1f}", len(result.findings))
            columns = ("verdict", "runs", "steps", "values", "boots", "seconds", "a minute", "disagree")
            show.table(f"{subject}, seed {seed}", columns, [row])
        print(f"files: {folder}", file=sys.stderr)
        if result.verdict is not Verdict.PASS:
            raise leave(show.exit_code(result.verdict))


def _for_tree(tree: str, highmem: str) -> tuple[str, Ground, Stand]:
    pipeline = TreePipeline(tree_request(tree, None, None, highmem), Reporter())
    with pipeline.locked():
        request = pipeline.boot_request
    kernel = replace(request.scenario.kernel, hotadd=None)
    return pipeline.subject, Ground(Line.LINUX24, kernel), Stand24(request)


def _for_distribution(distro: str) -> tuple[str, Ground, Stand]:
    pipeline = Pipeline(request_for(distro), Reporter())
    with pipeline.locked():
        request = pipeline.boot_request
    return pipeline.subject, Ground(Line.MAINLINE, least_boot=LEAST_BOOT), StandMainline(request)
