"""How each question is answered for a 2.4 kernel tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hamkit import scenarios, specs
from hamkit.build.kernel24.apply import try_series
from hamkit.build.kernel24.build import ConfigurationRefused, build_kernel, kernel_folder
from hamkit.build.kernel24.flavours import stock_flavour
from hamkit.courses.distribution import PatchPipeline, Request
from hamkit.courses.linux24 import TreePipeline, TreeRequest
from hamkit.courses.overhead import OverheadPipeline, OverheadRequest, counted_flavour
from hamkit.courses.reproduce import reproduce_tree
from hamkit.courses.tree import SERIES_RESERVE_MB
from hamkit.errors import Failure, HamkitError
from hamkit.files import cache_root, scratch_folder
from hamkit.kernel.facts import probe
from hamkit.kernel.identify import Identity, identify
from hamkit.kernel.source import open_source
from hamkit.matrix.answers import Texts, digest_of, failed, guarded, of_stage, reproduced_cell
from hamkit.matrix.booting import boot_cells
from hamkit.matrix.costs import COUNTED, ratios
from hamkit.matrix.graph import Answer, Task
from hamkit.matrix.record import Cell
from hamkit.model.scenario import Line
from hamkit.progress import Quiet
from hamkit.render.series import SeriesRequest, render_series, unsupported
from hamkit.stage import Stopwatch, Verdict


def _pipeline(task: Task) -> TreePipeline:
    chosen = task.options.get("scenario", "")
    request = TreeRequest(
        tree=task.row.given,
        scenario=scenarios.load(Path(chosen), Line.LINUX24) if chosen else None,
        flavour=task.options.get("flavour", ""),
        highmem=task.options.get("highmem", ""),
        toolchain=task.options.get("toolchain", ""),
        keep=True,
    )
    return TreePipeline(request, Quiet())


def _identify(task: Task, texts: Texts) -> Answer:
    source = open_source(task.row.given)
    found = identify(source.root)
    facts = {"release": found.release, "vendor": found.vendor, "traits": list(found.traits)}
    words = f"Linux {found.release}, {found.vendor}"
    cell = Cell(column="identify", verdict=Verdict.PASS, detail=words, facts=facts)
    digest, title = digest_of({"release": found.release}), f"Linux {found.release}"
    return Answer((cell,), digest, title=title, origin=found.vendor)


def _facts(task: Task, texts: Texts) -> Answer:
    watch = Stopwatch()
    found = probe(open_source(task.row.given).root)
    reasons = unsupported(found)
    words = "; ".join(reasons) or f"{len(found.facts)} facts" + "".join(
        f"; {words}" for words in (*found.caveats, *found.unbuildable)
    )
    cell = Cell(
        column="facts",
        verdict=Verdict.UNSUPPORTED if reasons else Verdict.PASS,
        detail=texts.hide(words),
        seconds=watch.seconds,
        facts=found.values,
    )
    return Answer((cell,), digest_of({name: repr(value) for name, value in found.values.items()}))


def _patch(task: Task, texts: Texts) -> Answer:
    """Rendered, and applied to a copy of what it touches."""
    root = open_source(task.row.given).root
    with scratch_folder("matrix") as work:
        made = render_series(SeriesRequest(root, work / "series", SERIES_RESERVE_MB), Quiet())
        patches = tuple(texts.add(p.name, p.read_text(encoding="latin-1"), whole=True) for p in made.patches)
        cell, watch = of_stage("patch", made.stage, texts, patches=patches), Stopwatch()
        try:
            words = f"{try_series(made, root)} files, without fuzz or offset"
            applies = Cell(column="applies", verdict=Verdict.PASS, detail=words, seconds=watch.seconds)
        except HamkitError as bad:
            applies = failed("applies", bad, watch.seconds, texts)
    digest = digest_of({text.name: text.digest for text in patches})
    return Answer((cell, applies), digest, texts.by_digest)


def _kernel(task: Task, texts: Texts) -> Answer:
    """Two columns: what stops a build is the configuration, or the compiler."""
    pipeline, watch = _pipeline(task), Stopwatch()
    unbuildable = "; ".join(probe(pipeline.source.root).unbuildable)
    if unbuildable:
        reason = texts.hide(f"the tree does not compile for i386, patched or not: {unbuildable}")
        columns = ("configures", "builds")
        return Answer(tuple(Cell(column=c, verdict=Verdict.UNSUPPORTED, detail=reason) for c in columns))
    log = (cache_root() / "logs" / f"kernel24-{pipeline.source.root.name}.log",)
    try:
        made = pipeline.kernel
    except ConfigurationRefused as bad:
        return Answer((failed("configures", bad, watch.seconds, texts, log),), texts=texts.by_digest)
    except HamkitError as bad:
        configured = Cell(column="configures", verdict=Verdict.PASS)
        built = failed("builds", bad, watch.seconds, texts, log)
        if isinstance(bad, Failure) and (theirs := _stock_fault(pipeline)):
            reason = texts.hide(f"the tree does not build without the patches either: {theirs}")
            built = built.model_copy(update={"verdict": Verdict.UNSUPPORTED, "detail": reason})
        return Answer((configured, built), texts=texts.by_digest)
    flavour = pipeline.kernel_request.flavour
    words = f"HIGHMEM{flavour.highmem}, {'smp' if flavour.smp else 'up'}, as asked"
    configured = Cell(column="configures", verdict=Verdict.PASS, detail=words)
    cells = (configured, of_stage("builds", made.stage, texts, facts={COUNTED: _counted(pipeline)}))
    return Answer(cells, digest_of({a.path.name: a.sha256 for a in made.stage.outputs}), texts.by_digest)


def _stock_fault(pipeline: TreePipeline) -> str:
    """Why the tree does not build as it came, configured likewise without hot-add; empty when it does."""
    asked = pipeline.kernel_request
    try:
        build_kernel(replace(asked, series=None, flavour=stock_flavour(asked.flavour)), Quiet())
    except Failure as bad:
        return bad.message
    return ""


def _counted(pipeline: TreePipeline) -> str:
    """The name in the cache of the kernel that an overhead measurement counts."""
    asked = pipeline.kernel_request
    flavour = counted_flavour(pipeline.series.facts, pipeline.request.highmem)
    return kernel_folder(replace(asked, flavour=flavour)).name


def _overhead(task: Task, texts: Texts) -> Answer:
    """Stock and patched kernels counted, each twice."""
    highmem, toolchain = (task.options.get(name, "") for name in ("highmem", "toolchain"))
    request = OverheadRequest(task.row.given, highmem=highmem, toolchain=toolchain)
    pipeline = OverheadPipeline(request, Quiet())
    with pipeline.locked():
        pipeline.result  # noqa: B018 - asking measures
    found = ratios(pipeline.patched.folder.name)
    return Answer((of_stage("overhead", pipeline.results[-1], texts, overhead=found),))


def _modules(task: Task, texts: Texts) -> Answer:
    made = _pipeline(task).modules
    digest = digest_of({artifact.path.name: artifact.sha256 for artifact in made.stage.outputs})
    return Answer((of_stage("modules", made.stage, texts),), digest, texts.by_digest)


def _boot(task: Task, texts: Texts) -> Answer:
    return boot_cells(_pipeline(task), texts)


def distribution_of(identity: Identity) -> specs.Spec | None:
    """The distribution that ships this kernel: by its release, else by the version that it began from."""
    known = [spec for spec in specs.load_all().values() if spec.distribution.line == "2.4"]
    for spec in known:
        if spec.kernel.release and identity.release.startswith(spec.kernel.release):
            return spec
    return next((s for s in known if s.kernel.release.partition("-")[0] == identity.version), None)


def _patch_package(task: Task) -> PatchPipeline | str:
    """The pipeline of the package of kernel patches, or why there is no such package."""
    source = open_source(task.row.given)
    identity = identify(source.root)
    spec = distribution_of(identity)
    if spec is None:
        return f"no distribution of specs/ ships Linux {identity.release}"
    return PatchPipeline(Request(spec, scenarios.load(), keep=True), Quiet(), source=source)


def _srpm(task: Task, texts: Texts) -> Answer:
    """The source RPM of the kernel patches, for the distribution whose kernel this is."""
    pipeline = _patch_package(task)
    if isinstance(pipeline, str):
        return Answer((Cell(column="srpm", verdict=Verdict.UNSUPPORTED, detail=pipeline),))
    made = pipeline.srpm
    digest = digest_of({artifact.path.name: artifact.sha256 for artifact in made.stage.outputs})
    return Answer((of_stage("srpm", made.stage, texts),), digest)


def _rpm(task: Task, texts: Texts) -> Answer:
    pipeline = _patch_package(task)
    if isinstance(pipeline, str):
        return Answer((Cell(column="rpm", verdict=Verdict.UNSUPPORTED, detail=pipeline),))
    return Answer((of_stage("rpm", pipeline.checked.stage, texts),))


def _reproducible(task: Task, texts: Texts) -> Answer:
    made = reproduce_tree(_pipeline(task).request, Quiet())
    return Answer((reproduced_cell(made, texts),), texts=texts.by_digest)


def ask(task: Task) -> Answer:
    """A node's answer, with an expected error as a cell of its first column."""
    column, question = QUESTIONS[task.node]
    texts = Texts()
    return guarded(column, texts, lambda: question(task, texts), lambda: _logs(task.node))


def _logs(name: str) -> Iterable[Path]:
    return (cache_root() / "logs" / "modules24.log",) if name == "modules" else ()


QUESTIONS = {
    "identify": ("identify", _identify),
    "facts": ("facts", _facts),
    "patch": ("patch", _patch),
    "kernel": ("configures", _kernel),
    "modules": ("modules", _modules),
    "boot": ("boots", _boot),
    "srpm": ("srpm", _srpm),
    "rpm": ("rpm", _rpm),
    "reproducible": ("reproducible", _reproducible),
    "overhead": ("overhead", _overhead),
}
