"""What every task needs: help of shared flags, requests from flags, errors as words and an exit status."""

from contextlib import AbstractContextManager
from pathlib import Path

from invoke import Exit

from hamkit import doctor as doctoring
from hamkit import scenarios, show, specs
from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.model.scenario import Line
from hamkit.pipeline import Pipeline, Request
from hamkit.pipeline24 import TreePipeline, TreeRequest

TREE = "kernel source: a folder, an archive, a source RPM, or a name in the cache's kernels/"
HELP = {
    "distro": "distribution, one of `invoke specs`",
    "flavour": "kernel flavour; the distribution's first when not given; up or smp with --tree",
    "scenario": "scenario file (TOML); the default scenario when not given",
    "out": "folder for what is made",
    "json": "JSON on standard output, words on standard error",
    "dry_run": "show the plan and what the cache holds, do nothing",
    "renew": "use nothing from the cache",
    "keep": "keep this run's logs and work files in a folder of their own",
    "tree": TREE,
    "highmem": "with --tree: 4G or 64G (PAE); what the stock kernel bears when not given",
    "toolchain": "with --tree: name of a compiler in the cache's toolchains/, or its path",
    "reserve_mb": "with --tree: kernel address space for struct pages, MiB; the scenario's when not given",
    "modversions": "with --tree: a kernel whose symbols carry versions",
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


def either_of(distro: str, tree: str) -> None:
    """Raises UserError unless one of both is given."""
    if distro and tree:
        raise UserError("--distro and --tree are both given", "a 2.4 tree is proved by itself: leave one out")
    if not tree:
        given("distro", distro, "debian-12, or --tree linux-2.4.13")


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
) -> Request:
    return Request(
        spec=spec_of(distro),
        scenario=scenarios.load(Path(scenario) if scenario else None, Line.MAINLINE),
        flavour=flavour,
        testing=testing,
        renew=renew,
        keep=keep,
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


def out_folder(out: str, distro: str) -> Path:
    return Path(out) if out else project_root() / "build" / distro


def dist_folder(out: str) -> Path:
    """The folder that holds one release a distribution."""
    return Path(out) if out else project_root() / "dist"
