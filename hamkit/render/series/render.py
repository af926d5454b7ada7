"""The stage: a kernel tree in, a folder with the ordered series out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamkit import __version__
from hamkit.errors import UserError
from hamkit.files import (
    check_replaceable,
    folder_whole,
    project_root,
    scratch_folder,
    sha256_text,
    write_whole,
)
from hamkit.kernel.csource import ENCODING
from hamkit.kernel.facts import KernelFacts, probe
from hamkit.progress import Progress
from hamkit.render.series import spatch
from hamkit.render.series.diff import changes, mail
from hamkit.render.series.misses import SeriesMiss
from hamkit.render.series.overlay import Overlay, digest
from hamkit.render.series.plan import Patch, Plan, load_plan
from hamkit.render.series.steps import Work, carry_out
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

STAGE = "patch"
PATCHES = project_root() / "patches"
PATCHED = "include/linux/mem_hotadd.h"  # what the first patch brings
MANIFEST = "manifest.json"
SERIES = "series"
MARKS = (MANIFEST, SERIES)  # by which a folder is known as a series, which another may replace
RESERVE_MB = (16, 640)  # one GB of memory; what leaves 256 MB of lowmem


@dataclass(frozen=True)
class SeriesRequest:
    """``tree``: an unpacked kernel, never written to; ``out``: the folder to write, replaced as a whole;
    ``reserve_mb``: the option's default, MiB of kernel address space for struct pages."""

    tree: Path
    out: Path
    reserve_mb: int = 128


@dataclass(frozen=True)
class SeriesResult:
    """``patches``: the files in their order; ``facts``: what the tree was found to be."""

    stage: StageResult
    folder: Path
    patches: tuple[Path, ...]
    facts: KernelFacts


def render_series(request: SeriesRequest, progress: Progress) -> SeriesResult:
    """Render the series for a tree.

    Raises UserError for what is no tree or an unsupported one, MissingNeed without spatch, SeriesMiss
    (a Failure) with every rule that did not fire as often as it must.
    """
    watch = Stopwatch()
    least, most = RESERVE_MB
    if not least <= request.reserve_mb <= most:
        raise UserError(f"cannot reserve {request.reserve_mb} MB", f"choose from {least} to {most} MB")
    _replaceable(request.out, request.tree)
    if (request.tree / PATCHED).exists():
        raise UserError(f"the tree has {PATCHED}: it is patched already", "give the tree as it was before")
    facts, plan = probe(request.tree), load_plan(PATCHES)
    reasons = unsupported(facts)
    if reasons:
        raise UserError(
            f"this tree cannot be patched: {'; '.join(reasons)}", "see `invoke facts` for all of it"
        )
    overlay = Overlay(request.tree)
    mails = _mails(request, facts, plan, overlay, progress)
    names = [f"{number:04d}-{patch.name}.patch" for number, (patch, _) in enumerate(mails, 1)]
    manifest = _manifest(request, facts, overlay, dict(zip(names, (text for _, text in mails), strict=True)))
    with folder_whole(request.out, MARKS) as folder:
        for name, (_, text) in zip(names, mails, strict=True):
            write_whole(folder / name, text.encode(ENCODING))
        write_whole(folder / SERIES, "".join(f"{name}\n" for name in names))
        write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    return series_result(request.out, manifest, facts, watch.seconds)


def series_result(
    folder: Path, manifest: dict[str, Any], facts: KernelFacts, seconds: float, cached: bool = False
) -> SeriesResult:
    """What a folder with a rendered series is, by its manifest."""
    names = [patch["name"] for patch in manifest["patches"]]
    stage = StageResult(
        STAGE,
        Verdict.PASS,
        seconds,
        f"{len(names)} patches for Linux {facts.identity.release}",
        {"tree": manifest["tree_sha256"]},
        tuple(Artifact.of(folder / name) for name in (*names, SERIES, MANIFEST)),
        {"version": facts.identity.version, "reserve_mb": manifest["reserve_mb"]},
        cached,
    )
    return SeriesResult(stage, folder, tuple(folder / name for name in names), facts)


def unsupported(facts: KernelFacts) -> tuple[str, ...]:
    """Why hot-add cannot be patched into a tree, as its probes and the plan say; empty when it can."""
    return facts.unsupported or load_plan(PATCHES).unsupported(facts.values)


def _replaceable(out: Path, tree: Path) -> None:
    """Raises UserError when the folder to write, which is replaced whole, holds anything but a series."""
    place, source = out.resolve(), tree.resolve()
    if place == source or place in source.parents or source in place.parents:
        raise UserError(f"{out} is the kernel tree, holds it or lies in it", "give another folder to write")
    check_replaceable(out, MARKS)


def _mails(
    request: SeriesRequest, facts: KernelFacts, plan: Plan, overlay: Overlay, progress: Progress
) -> list[tuple[Patch, str]]:
    """Each patch that changes something, with its text."""
    context = {"facts": facts.values, "reserve_mb": request.reserve_mb}
    made = []
    with scratch_folder("series") as scratch, progress.step("patch: render the series") as step:
        work = Work(overlay, PATCHES, context, scratch)
        for patch in plan.patch:
            step.note(patch.name)
            before = overlay.snapshot()
            carry_out(patch, work)
            old = {path: before.get(path, overlay.original[path]) for path in overlay.current}
            made.append((patch, changes(old, overlay.current)))
        if work.misses:
            raise SeriesMiss(work.misses)
    kept = [(patch, changed) for patch, changed in made if changed]
    return [
        (patch, mail(number, len(kept), patch.subject, patch.rationale, changed))
        for number, (patch, changed) in enumerate(kept, 1)
    ]


def _manifest(
    request: SeriesRequest, facts: KernelFacts, overlay: Overlay, patches: dict[str, str]
) -> dict[str, Any]:
    """``tree_sha256`` covers the files that the series touches, as the tree has them."""
    files = {
        path: {"before": None if old is None else digest(old), "after": digest(overlay.current[path])}
        for path, old in sorted(overlay.original.items())
    }
    return {
        "format": 1,
        "hamkit": __version__,
        "spatch": spatch.version(),
        "kernel": facts.as_json(),
        "reserve_mb": request.reserve_mb,
        "tree_sha256": sha256_text(*(f"{path} {state['before'] or '-'}" for path, state in files.items())),
        "files": files,
        "patches": [{"name": name, "sha256": digest(text)} for name, text in patches.items()],
    }
