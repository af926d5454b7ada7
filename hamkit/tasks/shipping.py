"""What is published: release."""

import sys
from pathlib import Path

from invoke import Context, task

from hamkit import scenarios, show
from hamkit.files import project_root
from hamkit.pipeline import Pipeline
from hamkit.progress import Reporter
from hamkit.release import ReleaseRequest
from hamkit.release import release as make_release
from hamkit.stage import Verdict
from hamkit.tasks.common import help_for, leave, request_for, show_plan, told


@task(help=help_for("distro", "flavour", "scenario", "out", "json", "dry_run", "renew", "keep"))
def release(
    _: Context,
    distro: str = "",
    flavour: str = "",
    scenario: str = "",
    out: str = "",
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """All stages into dist/<distro>/: source RPM, RPMs, boot, proof, report page, checksums."""
    with told(json):
        request = request_for(distro, flavour or None, scenario or None, renew=renew, keep=keep)
        if dry_run:
            return show_plan(Pipeline(request, Reporter()), "prove", json)
        dist = Path(out) if out else project_root() / "dist"
        chosen = Path(scenario) if scenario else scenarios.default_scenario()
        done = make_release(ReleaseRequest(request, chosen, dist), Reporter())
        rows = [(s.name, s.verdict, f"{s.seconds:.1f}", s.detail) for s in done.result.stages]
        show.either(json, done.result, f"release for {distro}", show.STAGE_COLUMNS, rows)
        print(f"{done.result.verdict.value}: {done.page}", file=sys.stderr)
        if done.result.verdict is not Verdict.PASS:
            raise leave(show.exit_code(done.result.verdict))
        return None
