"""Carries out one patch of the plan on an overlay; collects what missed instead of stopping at it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hamkit.errors import UserError
from hamkit.render.environment import render
from hamkit.render.series import spatch
from hamkit.render.series.misses import Miss, candidates
from hamkit.render.series.overlay import Overlay
from hamkit.render.series.plan import Edit, NewFile, Patch, Rules


@dataclass
class Work:
    """What a rendering carries along: the overlay, the facts, a scratch folder, the misses so far."""

    overlay: Overlay
    folder: Path
    context: Mapping[str, Any]
    scratch: Path
    misses: list[Miss] = field(default_factory=list)

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.context["facts"]
        return facts


def carry_out(patch: Patch, work: Work) -> None:
    """New files, then semantic patches, then edits, each where the facts want it."""
    for new in patch.new:
        if new.wanted(work.facts):
            _create(new, work)
    for rules in patch.rules:
        if rules.wanted(work.facts):
            _apply(rules, work)
    for edit in patch.edits:
        if edit.wanted(work.facts):
            _edit(edit, work)


def _create(new: NewFile, work: Work) -> None:
    work.overlay.create(new.path, render(f"kernel/{new.template}", work.context))


def _apply(rules: Rules, work: Work) -> None:
    cocci = _cocci(work.folder / rules.cocci)
    bodies = spatch.bodies(cocci)
    if set(bodies) != set(rules.fires):
        raise UserError(
            f"patches/{rules.cocci} has the rules {', '.join(bodies)}; "
            f"series.toml counts {', '.join(rules.fires)} in {rules.file}",
            "give each rule a count",
        )
    text = work.overlay.unix(rules.file)
    if text is None:
        work.misses += [_absent(f"{rules.cocci} {rule}", rules.file, n) for rule, n in rules.fires.items()]
        return
    applied = spatch.apply(cocci, rules.file, text, work.scratch)
    for rule, wanted in rules.fires.items():
        fired = applied.fired[rule]
        if fired != wanted:
            near = candidates(_matched(bodies[rule]), text)
            work.misses.append(Miss(f"{rules.cocci} {rule}", rules.file, wanted, fired, near))
    work.overlay.change(rules.file, applied.text)


def _matched(body: str) -> str:
    """What a rule looks for: its lines without its declarations and without what it adds."""
    return "\n".join(line for line in body.partition("@@")[2].splitlines() if not line.startswith("+"))


def _edit(edit: Edit, work: Work) -> None:
    text = work.overlay.unix(edit.file)
    if text is None:
        if not edit.dispensable:
            work.misses.append(_absent(f"edit {edit.name!r}", edit.file, edit.fires))
        return
    put = re.sub(r"@(\w+)@", lambda match: str(work.context[match[1]]), edit.put)
    changed, fired = edit.pattern.subn(put, text)
    if fired != edit.fires:
        near = candidates(edit.find, text)
        work.misses.append(Miss(f"edit {edit.name!r}", edit.file, edit.fires, fired, near))
    work.overlay.change(edit.file, changed)


def _absent(rule: str, file: str, wanted: int) -> Miss:
    return Miss(rule, f"{file} (not in the tree)", wanted, 0, ())


def _cocci(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "restore the folder patches/") from bad
