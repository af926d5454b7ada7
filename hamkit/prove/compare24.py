"""Holds a run of a 2.4 guest against the model: every step, every number, to the byte.

The model starts from what the kernel printed at boot; everything after it is derived. The counters were
read out of the guest's memory, so that the kernel's own words about itself are held against them too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from hamkit.model.expect_24 import carry_through
from hamkit.model.extents import KIB, PAGE, Extent
from hamkit.model.hotadd24 import Linux24
from hamkit.model.i386 import Kernel, Zone
from hamkit.model.outcomes import Outcome
from hamkit.model.scenario import Errno, Scenario, UseStep
from hamkit.prove.bootlog24 import RAM_NAME, boot_facts
from hamkit.prove.compare import action_checks, check, errno_word, listed, seen_result
from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.prove.globals24 import ZONES, Seen, ZoneCount24
from hamkit.prove.report24 import Snapshot24, snapshots
from hamkit.stage import Verdict

COMPLAINT = re.compile(
    r"Unable to handle kernel|kernel BUG at|Oops: |Call Trace:|bad p[gmt]d|order allocation failed"
)
REFUSED = re.compile(r"mem_hotadd: [0-9a-f]{16}-[0-9a-f]{16}: refused: .+ \((\d+)\)")
VM_ALONE = (Errno.EROFS, Errno.EEXIST, Errno.ENODEV)  # what HAM leaves to the VM to refuse
FREE_ALLOWANCE = 64  # pages of a region; at most 23 were seen, in the boot node
HEADS_A_PAGE = 32  # of 96 to 128 bytes, one for each page of the swap cache
FREE_REASON = "within {} pages: page cache of programs that were started, page tables, slabs"

KEPT = "; and the {} that processors may keep on lists of their own, which are not counted as free"


def compare(scenario: Scenario, console: str, report: str, read: Seen) -> Comparison:
    """Every check of a run: the texts of its two serial ports, and what was read of its memory.
    ``scenario.kernel`` is the kernel that was run.

    Raises Failure when report or console cannot be read; a value that differs is a failed check.
    """
    seen = snapshots(report, read)
    outcomes = carry_through(scenario, boot_facts(console, seen[0].iomem))
    checks = [check(0, "steps in the report", str(len(outcomes)), str(len(seen)))]
    views: list[StepView] = []
    for before, outcome, snapshot in zip((seen[0], *seen), outcomes, seen, strict=False):
        checks += action_checks(outcome, snapshot)
        checks += _refusals(outcome, snapshot)
        checks += _state(outcome, snapshot)
        if isinstance(outcome.action, UseStep):
            checks += _given_back(before, snapshot, outcome.vm.kernel, scenario.machine.cpus)
        views.append(_view(outcome, snapshot))
    return Comparison(tuple(checks), tuple(views))


def _refusals(outcome: Outcome[Linux24], snapshot: Snapshot24) -> Iterator[Check]:
    """The kernel's own line for each refusal that is its own."""
    if outcome.refusals:
        expected = [error.word for _, error in outcome.refusals if error in VM_ALONE]
        numbers = [int(m[1]) for line in snapshot.dmesg if (m := REFUSED.search(line))]
        seen = [errno_word(number) for number in numbers if number in VM_ALONE]
        yield check(
            outcome.step, "refusals in the kernel's log, by mem_hotadd", listed(expected), listed(seen)
        )


def _state(outcome: Outcome[Linux24], snapshot: Snapshot24) -> Iterator[Check]:
    """The machine after the step."""
    step, vm = outcome.step, outcome.vm
    for name, value in asdict(vm.counters).items():
        yield check(step, name, str(value), str(snapshot.counters.globals[name]))
    for name, kib in vm.meminfo:
        yield check(step, name, f"{kib} KiB", f"{snapshot.meminfo[name]} KiB")
    if snapshot.counters.zones:
        expected = [_zone_text(node, zone) for node, zone in vm.zones]
        classes = bool(vm.kernel.lower_ratios)
        zones = [_seen_text(z, classes) for z in snapshot.counters.zones]
        yield check(step, "zones", listed(expected), listed(zones))
    lines = [line.extent for line in snapshot.iomem if line.depth == 0 and line.name == RAM_NAME]
    yield check(step, RAM_NAME, _extents_text(vm.system_ram), _extents_text(sorted(lines)))
    yield check(step, "/proc/ham/status", listed(outcome.ham.status()), listed(snapshot.status))


def _given_back(before: Snapshot24, after: Snapshot24, kernel: Kernel, cpus: int) -> Iterator[Check]:
    """What a program used is free again, region by region; where pages that went to the disk stay in the swap
    cache after their process (to 2.4.9), free or there."""
    if _swap_cache(before) or _swap_cache(after):
        yield _free_or_cached(before, after, kernel, cpus)
        return
    earlier = {zone.start: zone.free for zone in before.counters.zones}
    for zone in after.counters.zones:
        expected = earlier.get(zone.start, 0)
        kept = kernel.kept_by_processors(zone.size, cpus)
        good = abs(zone.free - expected) <= FREE_ALLOWANCE + kept
        yield Check(
            after.step,
            f"free pages of {zone.name} from page {zone.start}, after use",
            str(expected),
            str(zone.free),
            Verdict.PASS if good else Verdict.FAIL,
            FREE_REASON.format(FREE_ALLOWANCE) + (KEPT.format(kept) if kept else ""),
        )


def _swap_cache(snapshot: Snapshot24) -> int:
    """In pages; to 2.4.6 it is counted as page cache, which is next to nothing before anything is swapped."""
    info = snapshot.meminfo
    swapped = info.get("SwapTotal", 0) != info.get("SwapFree", 0)
    return info.get("SwapCached", info.get("Cached", 0) if swapped else 0) * KIB // PAGE


def _free_or_cached(before: Snapshot24, after: Snapshot24, kernel: Kernel, cpus: int) -> Check:
    expected, seen = (
        sum(zone.free for zone in snapshot.counters.zones) + _swap_cache(snapshot)
        for snapshot in (before, after)
    )
    kept = sum(kernel.kept_by_processors(zone.size, cpus) for zone in after.counters.zones)
    heads = max(_swap_cache(before), _swap_cache(after)) // HEADS_A_PAGE
    allowance = FREE_ALLOWANCE * len(after.counters.zones) + heads
    verdict = Verdict.PASS if abs(seen - expected) <= allowance + kept else Verdict.FAIL
    title = "free pages of all zones and the swap cache, after use"
    reason = FREE_REASON.format(allowance) + ", buffer heads" + (KEPT.format(kept) if kept else "")
    return Check(after.step, title, str(expected), str(seen), verdict, reason)


def _zone_text(node: int, zone: Zone) -> str:
    triples = [(mark.least, mark.low, mark.high) for mark in zone.marks]
    marks = [value for triple in triples if any(triple) for value in triple]
    return _text(node, zone.name, zone.start, zone.spanned, marks)


def _seen_text(zone: ZoneCount24, classes: bool) -> str:
    """With the watermarks of the classes that the model has: from the zone's own up, but for empty ones."""
    triples = [zone.marks[n : n + 3] for n in range(0, len(zone.marks), 3)]
    kept = triples[ZONES.index(zone.name) :] if classes else triples[:1]
    marks = [mark for triple in kept if any(triple) for mark in triple]
    return _text(zone.node, zone.name, zone.start, zone.size, marks)


def _text(node: int, name: str, start: int, size: int, marks: Sequence[int]) -> str:
    return f"node {node} {name} from page {start}: {size} spanned, watermarks {' '.join(map(str, marks))}"


def _extents_text(extents: Sequence[Extent]) -> str:
    return listed([f"{e.start:08x}-{e.end - 1:08x}" for e in extents])


def _view(outcome: Outcome[Linux24], snapshot: Snapshot24) -> StepView:
    return StepView(
        outcome.step,
        outcome.label,
        seen_result(outcome, snapshot),
        snapshot.meminfo["MemTotal"],
        snapshot.meminfo["MemFree"],
        outcome.vm.mem_total_kib,
        (),
        snapshot.status,
    )
