"""What every task needs: help of shared flags, requests from flags, errors as words and an exit status."""

from contextlib import AbstractContextManager
from pathlib import Path

from invoke import Exit

from hamkit import doctor as doctoring
from hamkit import scenarios, show, specs
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.pipeline import Pipeline, Request

TREE = "kernel source: a folder, an archive, a source RPM, or a name in the cache's kernels/"
HELP = {
    "distro": "distribution, one of `invoke specs`",
    "flavour": "kernel flavour; the distribution's first when not given",
    "scenario": "scenario file (TOML); the default scenario when not given",
    "out": "folder for what is made",
    "json": "JSON on standard output, words on standard error",
    "dry_run": "show the plan and what the cache holds, do nothing",
    "renew": "use nothing from the cache",
    "keep": "keep this run's logs and work files in a folder of their own",
    "testing": "build HAM with its test ioctl and fault injection (never for a release)",
}


def help_for(*names: str) -> dict[str, str]:
    return {name: HELP[name] for name in names}


def leave(code: int) -> Exit:
    return Exit(code=code)


def told(json: bool) -> AbstractContextManager[None]:
    return show.told(json, leave, lambda: doctoring.summary(doctoring.diagnose()))


def given(flag: str, value: str, example: str) -> str:
    """The value of a flag that a task cannot do without. Raises UserError when it is empty."""
    if not value:
        raise UserError(f"--{flag} is not given", f"for example --{flag} {example}")
    return value


def spec_of(distro: str) -> specs.Spec:
    return specs.load(given("distro", distro, "debian-12"))


def request_for(
    distro: str,
    flavour: str | None = None,
    scenario: str | None = None,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> Request:
    return Request(
        spec=spec_of(distro),
        scenario=scenarios.load(Path(scenario) if scenario else None),
        flavour=flavour,
        testing=testing,
        renew=renew,
        keep=keep,
    )


def show_plan(pipeline: Pipeline, last: str, json: bool) -> None:
    plan = pipeline.plan()
    wanted = plan[: [p.stage for p in plan].index(last) + 1]
    rows = [(p.stage, p.action, "cached" if p.cached else "to do") for p in wanted]
    show.either(json, wanted, f"plan for {pipeline.request.spec.name}", ("stage", "action", "state"), rows)


def show_stages(pipeline: Pipeline, json: bool, **more: object) -> None:
    code = show.outcome(json, pipeline.request.spec.name, pipeline.results, more)
    if code:
        raise leave(code)


def out_folder(out: str, distro: str) -> Path:
    return Path(out) if out else project_root() / "build" / distro


def dist_folder(out: str) -> Path:
    """The folder that holds one release a distribution."""
    return Path(out) if out else project_root() / "dist"
