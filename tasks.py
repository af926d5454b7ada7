"""The tasks that people and scripts call; each reads flags, calls the library, shows the result.

Exit codes: 0 pass, 1 the thing under test failed, 2 the user's mistake, 3 the
environment lacks something.
"""

import sys
from contextlib import AbstractContextManager
from pathlib import Path

from invoke import Collection, Context, Exit, task

from hamkit import clean as cleaning
from hamkit import doctor as doctoring
from hamkit import lint as linting
from hamkit import scenarios, show, specs, testing
from hamkit.build import lastjob
from hamkit.build.engine import Engine
from hamkit.errors import UserError
from hamkit.files import project_root, write_whole
from hamkit.kernel import facts as kernel_facts
from hamkit.kernel.source import open_source
from hamkit.model import expectation
from hamkit.pipeline import Pipeline, Request, deliver
from hamkit.progress import Reporter
from hamkit.prove import bench as benching
from hamkit.prove import rpm
from hamkit.prove.console import judge as judge_log
from hamkit.release import ReleaseRequest
from hamkit.release import release as make_release
from hamkit.render.series import SeriesRequest, render_series
from hamkit.stage import Verdict

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


def _help(*names: str) -> dict[str, str]:
    return {name: HELP[name] for name in names}


def _leave(code: int) -> Exit:
    return Exit(code=code)


def _told(json: bool) -> AbstractContextManager[None]:
    return show.told(json, _leave, lambda: doctoring.summary(doctoring.diagnose()))


def _given(flag: str, value: str, example: str) -> str:
    """The value of a flag that a task cannot do without. Raises UserError when it is empty."""
    if not value:
        raise UserError(f"--{flag} is not given", f"for example --{flag} {example}")
    return value


def _spec(distro: str) -> specs.Spec:
    return specs.load(_given("distro", distro, "debian-12"))


def _request(
    distro: str,
    flavour: str | None = None,
    scenario: str | None = None,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> Request:
    return Request(
        spec=_spec(distro),
        scenario=scenarios.load(Path(scenario) if scenario else None),
        flavour=flavour,
        testing=testing,
        renew=renew,
        keep=keep,
    )


def _plan(pipeline: Pipeline, last: str, json: bool) -> None:
    plan = pipeline.plan()
    wanted = plan[: [p.stage for p in plan].index(last) + 1]
    rows = [(p.stage, p.action, "cached" if p.cached else "to do") for p in wanted]
    show.either(json, wanted, f"plan for {pipeline.request.spec.name}", ("stage", "action", "state"), rows)


def _stages(pipeline: Pipeline, json: bool, **more: object) -> None:
    code = show.outcome(json, pipeline.request.spec.name, pipeline.results, more)
    if code:
        raise _leave(code)


@task(help=_help("json"))
def doctor(_: Context, json: bool = False) -> None:
    """What is installed, what each missing thing disables, how to install it (exit 3 if any)."""
    with _told(json):
        needs = doctoring.diagnose()
        show.either(json, needs, "needs", doctoring.COLUMNS, doctoring.rows(needs))
        print(doctoring.summary(needs), file=sys.stderr)
        if any(not need.found and need.disables for need in needs):
            raise _leave(3)


@task(name="specs", help={"distro": "show one, whole"} | _help("json"))
def specs_(_: Context, distro: str = "", json: bool = False) -> None:
    """Table of distributions, or one with --distro NAME."""
    with _told(json):
        known = specs.load_all()
        chosen = [specs.load(distro)] if distro else list(known.values())
        if json:
            show.as_json(chosen[0] if distro else chosen)
        elif distro:
            facts = chosen[0].model_dump(mode="json")
            fields = [(f"{part}.{key}", value) for part, keys in facts.items() for key, value in keys.items()]
            show.table(distro, ("field", "value"), fields)
        else:
            columns = ("name", "title", "line", "flavours", "rpm", "end of life")
            rows = [
                (d.name, d.title, d.line, " ".join(s.kernel.flavours), s.rpm.version, d.end_of_life)
                for s in chosen
                for d in (s.distribution,)
            ]
            show.table("distributions", columns, rows)


@task(help={"tree": TREE} | _help("json"))
def facts(_: Context, tree: str = "", json: bool = False) -> None:
    """Version, vendor and probed facts of a 2.4 kernel tree, and what makes it unsupported."""
    with _told(json):
        found = kernel_facts.probe(open_source(_given("tree", tree, "linux-2.4.13")).root)
        title = f"Linux {found.identity.release}"
        show.either(json, found.as_json(), title, kernel_facts.COLUMNS, found.rows())
        for line in (*(f"unsupported: {reason}" for reason in found.unsupported), *found.caveats):
            print(line, file=sys.stderr)
        if found.unsupported:
            raise _leave(1)


@task(help={"tree": TREE, "reserve_mb": "kernel address space for struct pages, MiB"} | _help("out", "json"))
def patch(_: Context, tree: str = "", out: str = "", reserve_mb: int = 128, json: bool = False) -> None:
    """The hot-add patch series for a 2.4 kernel tree, which is not changed."""
    with _told(json):
        source = open_source(_given("tree", tree, "linux-2.4.13"))
        folder = Path(out) if out else project_root() / "build" / f"series-{Path(tree).name}"
        made = render_series(SeriesRequest(source.root, folder, reserve_mb), Reporter())
        show.outcome(json, source.origin, [made.stage], {"files": made.patches})


@task(help=_help("distro", "json", "dry_run", "renew"))
def image(
    _: Context, distro: str = "", json: bool = False, dry_run: bool = False, renew: bool = False
) -> None:
    """The build image of a distribution: pulled or bootstrapped base, toolchain, kernels."""
    with _told(json):
        pipeline = Pipeline(_request(distro, renew=renew), Reporter())
        if dry_run:
            return _plan(pipeline, "image", json)
        with pipeline.locked():
            made = pipeline.image
        return _stages(pipeline, json, image=made.digest, base=made.base, kernels=made.kernels)


@task(help=_help("distro", "out", "json", "dry_run", "renew"))
def srpm(
    _: Context,
    distro: str = "",
    out: str = "",
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
) -> None:
    """The HAM source RPM in a distribution's dialect, built by its own rpmbuild."""
    with _told(json):
        pipeline = Pipeline(_request(distro, renew=renew), Reporter())
        if dry_run:
            return _plan(pipeline, "srpm", json)
        with pipeline.locked():
            made = deliver((pipeline.srpm.path,), _out(out, distro))
        return _stages(pipeline, json, files=made)


@task(
    help={"srpm": "package file, source or binary", "sarif": "file for the findings as SARIF"}
    | _help("distro", "json")
)
def check(_: Context, srpm: str = "", distro: str = "", sarif: str = "", json: bool = False) -> None:
    """Compatibility of a package with a distribution's rpm (exit 1 when it does not fit)."""
    with _told(json):
        result = rpm.check(rpm.CheckRequest(Path(_given("srpm", srpm, "FILE")), _spec(distro)), Reporter())
        if sarif:
            write_whole(Path(sarif), rpm.as_sarif(result, Path(srpm)))
        title = f"{Path(srpm).name} for {distro}"
        show.either(json, rpm.as_json(result), title, rpm.COLUMNS, rpm.rows(result))
        print(result.stage.detail, file=sys.stderr)
        if result.stage.verdict is not Verdict.PASS:
            raise _leave(show.exit_code(result.stage.verdict))


@task(help=_help("distro", "out", "testing", "json", "dry_run", "renew", "keep"))
def build(
    _: Context,
    distro: str = "",
    out: str = "",
    testing: bool = False,
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """The source RPM rebuilt in the image: modules for each flavour, hamctl, proof programs."""
    with _told(json):
        pipeline = Pipeline(_request(distro, testing=testing, renew=renew, keep=keep), Reporter())
        if dry_run:
            return _plan(pipeline, "build", json)
        with pipeline.locked():
            made = deliver((pipeline.srpm.path, *pipeline.rpms.paths), _out(out, distro))
        return _stages(pipeline, json, files=made)


@task(help=_help("distro", "flavour", "scenario", "testing", "json", "dry_run", "renew", "keep"))
def boot(
    _: Context,
    distro: str = "",
    flavour: str = "",
    scenario: str = "",
    testing: bool = False,
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """Boot the distribution's kernel in QEMU, hot-add memory, compare with the model."""
    with _told(json):
        request = _request(distro, flavour or None, scenario or None, testing, renew, keep)
        pipeline = Pipeline(request, Reporter())
        if dry_run:
            return _plan(pipeline, "prove", json)
        with pipeline.locked():
            booted = pipeline.booted
            compared = pipeline.proved if booted.stage.verdict is Verdict.PASS else None
        if compared and not json:
            rows = [
                (s.step, s.label, s.result, s.mem_total_kib, s.expected_total_kib) for s in compared.steps
            ]
            show.table("steps", ("step", "action", "result", "MemTotal KiB", "model KiB"), rows)
            wrong = [
                (c.step, c.title, c.seen, c.expected)
                for c in compared.checks
                if c.verdict is not Verdict.PASS
            ]
            if wrong:
                show.table("disagreements", ("step", "value", "seen", "model"), wrong)
        print(f"logs: {pipeline.logs}", file=sys.stderr)
        return _stages(pipeline, json, comparison=compared)


@task(help={"console": "console log of any run, whole or cut short"} | _help("json"))
def judge(_: Context, console: str = "", json: bool = False) -> None:
    """Judge a console log again: how far the boot came, and what stopped it."""
    with _told(json):
        verdict = judge_log(Path(_given("console", console, "FILE")))
        row = (verdict.verdict, verdict.outcome, verdict.state, verdict.step, verdict.detail)
        show.either(json, verdict, console, ("verdict", "outcome", "state", "step", "detail"), [row])
        print("\n".join(verdict.lines), file=sys.stderr)
        if verdict.verdict is not Verdict.PASS:
            raise _leave(show.exit_code(verdict.verdict))


@task(help=_help("scenario", "json"))
def model(_: Context, scenario: str = "", json: bool = False) -> None:
    """What the reference model expects of a scenario, step by step."""
    with _told(json):
        wanted = scenarios.load(Path(scenario) if scenario else None)
        rows = expectation.rows(wanted)
        show.either(json, expectation.expectation(wanted), wanted.name, expectation.ROW_TITLES, rows)


@task(help=_help("distro", "flavour", "scenario", "out", "json", "dry_run", "renew", "keep"))
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
    with _told(json):
        request = _request(distro, flavour or None, scenario or None, renew=renew, keep=keep)
        if dry_run:
            return _plan(Pipeline(request, Reporter()), "prove", json)
        dist = Path(out) if out else project_root() / "dist"
        chosen = Path(scenario) if scenario else scenarios.default_scenario()
        done = make_release(ReleaseRequest(request, chosen, dist), Reporter())
        rows = [(s.name, s.verdict, f"{s.seconds:.1f}", s.detail) for s in done.result.stages]
        show.either(json, done.result, f"release for {distro}", show.STAGE_COLUMNS, rows)
        print(f"{done.result.verdict.value}: {done.page}", file=sys.stderr)
        if done.result.verdict is not Verdict.PASS:
            raise _leave(show.exit_code(done.result.verdict))
        return None


@task(help=_help("distro"))
def shell(_: Context, distro: str = "") -> None:
    """A shell in the build image of the last (failed) run, its input files in /job/in."""
    with _told(False):
        _spec(distro)
        status = lastjob.shell(distro, Engine.connect())
        if status:
            raise _leave(status)


@task(help={"rounds": "boots of each kind"} | _help("distro", "flavour", "json"))
def bench(_: Context, distro: str = "", flavour: str = "", rounds: int = 3, json: bool = False) -> None:
    """The boot stage against a bare QEMU boot of the same kernel, as a ratio in one run."""
    with _told(json):
        if rounds < 1:
            raise UserError(f"--rounds {rounds} measures nothing", "give 1 or more")
        pipeline = Pipeline(_request(distro, flavour or None), Reporter())
        with pipeline.locked():
            measured = benching.boot_ratio(pipeline.boot_request, rounds, pipeline.progress)
        if json:
            show.as_json(measured.facts())
        else:
            rounds_shown = zip(measured.plain, measured.alike, measured.stage, strict=True)
            show.table(f"boot of {distro}, seconds", ("plain", "alike", "stage"), list(rounds_shown))
            print(f"stage to plain {measured.to_plain:.3f}, to alike {measured.to_alike:.3f}")


@task(help={"gate": "only this one of ci/gates: lint, unit, real", "select": "pytest's -k expression"})
def test(_: Context, gate: str = "", select: str = "") -> None:
    """Every gate that CI runs, in order; the status is the number of the one that failed."""
    with _told(False):
        status = testing.run_gates(gate, ("-k", select) if select else (), Reporter())
        if status:
            raise _leave(status)


@task(help=_help("json"))
def lint(_: Context, json: bool = False) -> None:
    """ruff, mypy, shellcheck, codespell and the house rules."""
    with _told(json):
        result = linting.lint(Reporter())
        show.either(json, result, "lint", linting.COLUMNS, linting.rows(result))
        if not result.passed:
            raise _leave(1)


@task(help={"images": "Docker images too"} | _help("json", "dry_run"))
def clean(_: Context, images: bool = False, json: bool = False, dry_run: bool = False) -> None:
    """Remove what hamkit made in its cache and build/; dist/ and your kernels stay."""
    with _told(json):
        engine = Engine.connect() if images else None
        done = cleaning.plan(engine) if dry_run else cleaning.clean(engine)
        word = "would be removed" if dry_run else "removed"
        show.either(json, done, word, ("what",), [(w,) for w in (*done.folders, *done.images)])


def _out(out: str, distro: str) -> Path:
    return Path(out) if out else project_root() / "build" / distro


namespace = Collection(
    *(doctor, specs_, facts, patch, image, srpm, check, build, boot, judge),
    *(model, release, shell, bench, test, lint, clean),
)
