"""Distributions and their packages: specs, image, srpm, check, build, shell."""

import sys
from dataclasses import replace
from pathlib import Path

from invoke import Context, task

from hamkit import show, specs
from hamkit.build import lastjob
from hamkit.build.engine import Engine
from hamkit.courses.distribution import KernelRpmPipeline, PatchPipeline, Pipeline, deliver, every_image
from hamkit.courses.linux24 import TreePipeline
from hamkit.courses.tree import SERIES_RESERVE_MB
from hamkit.errors import UserError
from hamkit.fetch.source import find_source
from hamkit.files import write_whole
from hamkit.progress import Reporter
from hamkit.prove import rpm
from hamkit.render.kernelpatch import check_line
from hamkit.stage import Verdict
from hamkit.tasks.common import TREE, given, help_for, leave, out_folder, told
from hamkit.tasks.requests import request_for
from hamkit.tasks.sources import compiler_of, either_of, own_kernel, source_of, spec_of
from hamkit.tasks.stages import show_plan, show_stages
from hamkit.tasks.trees import tree_request

PACKAGES = ("ham", "kernel-patch")


@task(name="specs", help={"distro": "show one, whole"} | help_for("json"))
def specs_(_: Context, distro: str = "", json: bool = False) -> None:
    """Table of distributions, or one with --distro NAME."""
    with told(json):
        known = specs.load_all()
        chosen = [specs.load(distro)] if distro else list(known.values())
        if json:
            show.as_json(chosen[0] if distro else chosen)
        elif distro:
            one = chosen[0]
            fields = [(name, _words(v), _mark(one, name)) for name, v in one.fields.items()]
            show.table(distro, ("field", "value", "verified"), fields)
        else:
            columns = ("name", "title", "line", "flavours", "rpm", "end of life", "state")
            rows = [
                (d.name, d.title, d.line, " ".join(s.kernel.flavours), s.rpm.version, d.end_of_life, d.state)
                for s in chosen
                for d in (s.distribution,)
            ]
            show.table("distributions", columns, rows)


def _words(value: object) -> str:
    """A fact for a person: lists and tables on one line."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_words(v)}" for key, v in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str("" if value is None else value)


def _mark(spec: specs.Spec, field: str) -> str:
    return "no" if field in spec.unverified else ""


@task(
    help={
        "all": "every distribution; what cannot be built here says why",
        "userland": "root file system (tar) of the distribution, to be its base from now on",
        "mirror": "package source in place of the image's own; more than one with commas",
        "write_lock": "file for the versions of the image's packages, a lock for --lock",
    }
    | help_for("distro", "lock", "json", "dry_run", "renew")
)
def image(
    _: Context,
    distro: str = "",
    all: bool = False,  # noqa: A002 - the flag's name
    userland: str = "",
    mirror: str = "",
    lock: str = "",
    write_lock: str = "",
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
) -> None:
    """The build image of a distribution: pulled or bootstrapped base, toolchain, kernels."""
    with told(json):
        if all:
            found = every_image(Reporter(), renew)
            code = show.outcome(json, "images", found, {})
            if code:
                raise leave(code)
            return None
        request = replace(
            request_for(distro, renew=renew, lock=lock), userland=Path(userland) if userland else None
        )
        request = replace(request, spec=specs.with_mirror(request.spec, mirror.split(",") if mirror else []))
        pipeline = Pipeline(request, Reporter())
        if dry_run:
            return show_plan(pipeline, "image", json)
        with pipeline.locked():
            made = pipeline.image
        if write_lock:
            write_whole(Path(write_lock), made.packages.read_bytes())
        return show_stages(pipeline, json, image=made.digest, base=made.base, kernels=made.kernels)


@task(
    help={
        "package": "ham (the module, the programs), or kernel-patch (the series for --tree)",
        "tree": f"with kernel-patch: {TREE}",
        "reserve_mb": f"with kernel-patch: MiB for struct pages; {SERIES_RESERVE_MB} when not given",
    }
    | help_for("distro", "out", "json", "dry_run", "renew")
)
def srpm(
    _: Context,
    distro: str = "",
    package: str = "ham",
    tree: str = "",
    reserve_mb: int = 0,
    out: str = "",
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
) -> None:
    """The HAM source RPM in a distribution's dialect, or that of the kernel patches."""
    with told(json):
        request = request_for(distro, renew=renew)
        if package not in PACKAGES:
            raise UserError(f"there is no package {package!r}", f"one of: {', '.join(PACKAGES)}")
        for flag, value in {"--tree": tree, "--reserve-mb": reserve_mb}.items():
            if value and package != "kernel-patch":
                raise UserError(
                    f"{flag} is for --package kernel-patch", "the source RPM of ham fits every kernel"
                )
        pipeline = Pipeline(request, Reporter())
        if package == "kernel-patch":
            check_line(request.spec)
            source = find_source(tree or source_of(request.spec), Reporter())
            pipeline = PatchPipeline(
                request, Reporter(), source=source, reserve_mb=reserve_mb or SERIES_RESERVE_MB
            )
        if dry_run:
            return show_plan(pipeline, "srpm", json)
        with pipeline.locked():
            made = deliver((pipeline.srpm.path,), out_folder(out, distro))
        return show_stages(pipeline, json, files=made)


@task(
    help={
        "srpm": "package file, source or binary",
        "repo": "what is published: folder of RPMs, repository (or its URL), rpm -qa list; more with commas",
        "sarif": "file for the findings as SARIF",
    }
    | help_for("distro", "json")
)
def check(
    _: Context, srpm: str = "", distro: str = "", repo: str = "", sarif: str = "", json: bool = False
) -> None:
    """Compatibility of a package with a distribution's rpm (exit 1 when it does not fit).

    With --repo also whether it may be published there: new, and newer than what there is. A real rpm of
    the distribution below toolchains/ in the cache (rpm.programs of its spec) has its say too.
    """
    with told(json):
        places = tuple(place for place in repo.split(",") if place)
        if repo and not places:
            raise UserError(f"--repo {repo} names nothing", "give a folder, a URL or a list")
        asked = rpm.CheckRequest(Path(given("srpm", srpm, "FILE")), spec_of(distro), repositories=places)
        result = rpm.check(asked, Reporter(), programs=rpm.real_programs(asked.spec))
        if sarif:
            write_whole(Path(sarif), rpm.as_sarif(result, Path(srpm)))
        title = f"{Path(srpm).name} for {distro}"
        show.either(json, rpm.as_json(result), title, rpm.COLUMNS, rpm.rows(result))
        print(result.stage.detail, file=sys.stderr)
        if result.stage.verdict is not Verdict.PASS:
            raise leave(show.exit_code(result.stage.verdict))


@task(
    help=help_for("distro", "tree", "flavour", "highmem", "toolchain", "reserve_mb", "modversions")
    | help_for("stand_in", "out", "testing", "json", "dry_run", "renew", "keep")
)
def build(
    _: Context,
    distro: str = "",
    tree: str = "",
    flavour: str = "",
    highmem: str = "",
    toolchain: str = "",
    reserve_mb: int = 0,
    modversions: bool = False,
    stand_in: bool = False,
    out: str = "",
    testing: bool = False,
    json: bool = False,
    dry_run: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> None:
    """The source RPM rebuilt in its image; with --tree a patched 2.4 kernel and HAM's modules for it.

    With both, packages of a 2.4 distribution with modules for the tree's kernel.
    """
    with told(json):
        if not distro or not tree:
            either_of(distro, tree)
        source = tree or " ".join(spec_of(distro).kernel.source)
        if source:
            wanted = (flavour, highmem) if tree else own_kernel(distro, flavour, highmem)
            kernel = (*wanted, compiler_of(distro, toolchain), reserve_mb, modversions)
            trees = TreePipeline(tree_request(source, None, *kernel, testing, renew, keep), Reporter())
            if distro:
                asked = request_for(distro, testing=testing, renew=renew, keep=keep)
                return _kernel_rpms(KernelRpmPipeline(asked, Reporter(), trees=trees), out, json, dry_run)
            if dry_run:
                return show_plan(trees, "programs", json)
            with trees.locked():
                made = deliver(trees.artifacts, out_folder(out, trees.subject))
            return show_stages(trees, json, files=made)
        request = request_for(distro, testing=testing, renew=renew, keep=keep, stand_in=stand_in)
        pipeline = Pipeline(request, Reporter())
        if dry_run:
            return show_plan(pipeline, "build", json)
        with pipeline.locked():
            made = deliver((pipeline.srpm.path, *pipeline.rpms.paths), out_folder(out, distro))
        return show_stages(pipeline, json, files=made)


def _kernel_rpms(pipeline: KernelRpmPipeline, out: str, json: bool, dry_run: bool) -> None:
    """Packages of a 2.4 distribution with modules for a tree's kernel."""
    check_line(pipeline.request.spec)
    if dry_run:
        return show_plan(pipeline, "build", json)
    with pipeline.locked():
        made = deliver((pipeline.srpm.path, *pipeline.rpms.paths), out_folder(out, pipeline.subject))
    pipeline.results[:0] = pipeline.trees.results
    return show_stages(pipeline, json, files=made)


@task(help=help_for("distro"))
def shell(_: Context, distro: str = "") -> None:
    """A shell in the build image of the last (failed) run, its input files in /job/in."""
    with told(False):
        spec_of(distro)
        status = lastjob.shell(distro, Engine.connect())
        if status:
            raise leave(status)
