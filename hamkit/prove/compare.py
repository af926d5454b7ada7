"""Holds a guest run against the model: every step, every number, to the byte.

The model starts from what the kernel printed and counted at boot (facts); those counts
themselves are held against the laws they must obey and against the kernel's ``Memory:``
line. Everything after boot is derived.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol

from hamkit.errors import Failure
from hamkit.model.expect_mainline import carry_through
from hamkit.model.extents import KIB, PAGE, TOP, Extent
from hamkit.model.firmware import Resource
from hamkit.model.mainline import DEFAULT_ADDRESS_BITS, BootFacts, Mainline, Policy, address_end
from hamkit.model.outcomes import Outcome, request_text
from hamkit.model.scenario import AbuseStep, AddStep, Errno, Scenario, UseStep
from hamkit.prove.comparison import Check, Comparison, StepView
from hamkit.prove.report import BootLog, Snapshot, ZoneCount, parse_console, parse_report
from hamkit.stage import Verdict

REFUSED = re.compile(r"ham: ([0-9a-f]{16}-[0-9a-f]{16}): refused: .+ \((\d+)\)")
COMPLAINT = re.compile(r"\b(?:WARNING|BUG|KASAN|Oops|Call Trace|general protection fault)\b")
FREE_ALLOWANCE_KIB = 6144  # a CPU; at most 2.4 MiB off were seen on 5.10, 6.1, 6.12 and 7.2 with one CPU
FREE_REASON = (
    "within {} KiB: a CPU keeps free pages, up to 2 MiB large, on lists of its own that MemFree does not "
    "count; the text of modules takes pages of that size too"
)


def compare(scenario: Scenario, console: str, report: str) -> Comparison:
    """Every check of a run. ``console`` and ``report`` are the two serial ports' texts.

    Raises Failure when one of them cannot be read; a value that differs is a failed check.
    """
    snapshots = parse_report(report)
    log = boot_log(console, snapshots[0])
    outcomes = carry_through(scenario, facts_of(log, snapshots[0]))
    checks = [check(0, "steps in the report", str(len(outcomes)), str(len(snapshots)))]
    checks += _boot_laws(log, snapshots[0], outcomes[0])
    views: list[StepView] = []
    for before, outcome, snapshot in zip((outcomes[0], *outcomes), outcomes, snapshots, strict=False):
        checks += action_checks(outcome, snapshot)
        checks += _state(outcome, snapshot)
        if outcome.step:
            allowance = FREE_ALLOWANCE_KIB * scenario.machine.cpus
            checks += _free(before, outcome, snapshots[outcome.step - 1], snapshot, allowance)
        views.append(_view(outcome, snapshot))
    return Comparison(tuple(checks), tuple(views))


def boot_log(console: str, boot: Snapshot) -> BootLog:
    """From the console, or from the guest's own kernel log where the console was kept quiet."""
    try:
        return parse_console(console)
    except Failure:
        return parse_console("\n".join(boot.dmesg))


def facts_of(log: BootLog, boot: Snapshot) -> BootFacts:
    """What the model takes from the kernel. Raises Failure for a policy that it does not know."""
    try:
        policy = Policy(boot.policy)
    except ValueError as bad:
        raise Failure(
            f"report, step 0: auto_online_blocks is {boot.policy!r}, which the model does not know",
            f"it knows {', '.join(Policy)}",
        ) from bad
    others = [line for line in boot.iomem if line.depth == 0 and line.name != "System RAM"]
    return BootFacts(
        log.firmware,
        tuple((z.name, z.managed) for z in boot.zones if z.node == 0),
        tuple(Resource(line.extent, line.name) for line in others),
        boot.block_size,
        policy,
        address_end(*(boot.address_bits or (DEFAULT_ADDRESS_BITS, 0))),
    )


def _boot_laws(log: BootLog, boot: Snapshot, outcome: Outcome[Mainline]) -> Iterator[Check]:
    """What the counts taken as facts must obey."""
    total = boot.meminfo["MemTotal"]
    managed = sum(z.managed for z in boot.zones) * PAGE // KIB
    present = sum(z.present for z in outcome.vm.zones) * PAGE // KIB
    freed = sum(kib for _, kib in log.freed)
    yield check(0, "MemTotal is the sum of managed pages", f"{managed} KiB", f"{total} KiB")
    counted = log.present - log.reserved + freed
    yield check(0, "MemTotal is what the kernel counted and freed", f"{counted} KiB", f"{total} KiB")
    yield check(0, "RAM that the kernel counted", f"{present} KiB", f"{log.present} KiB")
    over = [z.name for z in boot.zones if z.managed > z.present]
    yield check(0, "zones with more managed than present pages", "none", ", ".join(over) or "none")


class Said(Protocol):
    """What any guest reports of a step's action: its status, its output, the kernel's log."""

    @property
    def rc(self) -> int: ...

    @property
    def output(self) -> Sequence[str]: ...

    @property
    def dmesg(self) -> Sequence[str]: ...


def action_checks(outcome: Outcome[Any], snapshot: Said) -> Iterator[Check]:
    """The result of the step's action, and what the kernel logged of it."""
    step, action = outcome.step, outcome.action
    if action is None:
        return
    seen = seen_result(outcome, snapshot)
    yield check(step, "result, by the model", outcome.result.word, seen)
    yield check(step, "result, by the scenario", action.expect.word, seen)
    if isinstance(action, AbuseStep):  # which has many a request refused
        wrong = [line for line in snapshot.output if line.startswith("not ok")]
        yield check(step, "misuse that was not refused", "none", listed(wrong))
    else:
        refusals = [f"{m[1]} ({m[2]})" for line in snapshot.dmesg if (m := REFUSED.search(line))]
        expected = [f"{text} ({int(error)})" for text, error in outcome.refusals]
        yield check(step, "refusals in the kernel's log", listed(expected), listed(refusals))
    complaints = [line for line in snapshot.dmesg if COMPLAINT.search(line)]
    yield check(step, "kernel warnings", "none", listed(complaints))
    if isinstance(action, UseStep):
        pages = -(-action.size // PAGE)
        wanted = f"memfill: {pages * PAGE} bytes verified, 0 bad pages"
        yield check(step, "memory filled and verified", wanted, listed(snapshot.output))


def seen_result(outcome: Outcome[Any], snapshot: Said) -> str:
    """What the action ended with, in the scenario's words."""
    if isinstance(outcome.action, AddStep):
        return seen_add(outcome.action, snapshot.dmesg)
    if snapshot.rc == 0:
        return Errno.OK.word
    numbers = [int(m[2]) for line in snapshot.dmesg if (m := REFUSED.search(line))]
    return errno_word(numbers[0]) if numbers else f"exit status {snapshot.rc}"


def seen_add(action: AddStep, dmesg: Sequence[str]) -> str:
    """From the MHP driver's one line about this range; what is there instead when it is not that."""
    last = "[0-9a-f]{16}" if action.size == 0 or action.start + action.size >= TOP else ""
    span = f"{action.start:016x}-{last}" if last else request_text(action)
    pattern = re.compile(rf"mhp_sim: {span} {action.attr}: (-?\d+)$")
    found = [int(m[1]) for line in dmesg if (m := pattern.search(line))]
    return errno_word(-found[0]) if len(found) == 1 else f"{len(found)} lines of mhp_sim about it"


def errno_word(number: int) -> str:
    """An error's number as scenarios spell it."""
    try:
        return Errno(number).word
    except ValueError:
        return f"errno {number}"


def _state(outcome: Outcome[Mainline], snapshot: Snapshot) -> Iterator[Check]:
    """The machine after the step."""
    step, vm = outcome.step, outcome.vm
    yield check(step, "MemTotal", f"{vm.mem_total_kib} KiB", f"{snapshot.meminfo['MemTotal']} KiB")
    zones = {z.name: z for z in snapshot.zones if z.node == 0}
    for zone in vm.zones:
        expected = _zone_text(zone.start, zone.spanned, zone.present, zone.managed)
        yield check(step, f"zone {zone.name}", expected, _count_text(zones.get(zone.name)))
    modelled = {z.name for z in vm.zones}
    others = [
        f"node {z.node} {z.name}" for z in snapshot.zones if z.node or z.name not in modelled if z.spanned
    ]
    yield check(step, "memory in other zones and nodes", "none", listed(others))
    blocks = [(n, "online" if online else "offline") for n, online in vm.blocks]
    seen = [(int(name.removeprefix("memory")), state) for name, state in snapshot.blocks]
    yield check(step, "memory blocks", _blocks_text(blocks), _blocks_text(seen))
    yield check(step, "System RAM", _extents_text(vm.system_ram), _extents_text(snapshot.system_ram))
    yield check(step, "/proc/ham/status", listed(outcome.ham.status()), listed(snapshot.status))


def _free(
    before: Outcome[Mainline],
    outcome: Outcome[Mainline],
    earlier: Snapshot,
    snapshot: Snapshot,
    allowance: int,
) -> Iterator[Check]:
    """Added memory is free memory, but for its own memory map. ``allowance`` in KiB."""
    change = outcome.vm.mem_total_kib - before.vm.mem_total_kib
    cost = outcome.vm.vmemmap_kib - before.vm.vmemmap_kib
    if not change and not cost:
        return
    expected = earlier.meminfo["MemFree"] + change - cost
    seen = snapshot.meminfo["MemFree"]
    verdict = Verdict.PASS if abs(seen - expected) <= allowance else Verdict.FAIL
    title = f"MemFree: {change} KiB more, {cost} KiB of memory map less"
    yield Check(outcome.step, title, f"{expected} KiB", f"{seen} KiB", verdict, FREE_REASON.format(allowance))


def check(step: int, title: str, expected: str, seen: str) -> Check:
    """Two values that must be the same."""
    return Check(step, title, expected, seen, Verdict.PASS if expected == seen else Verdict.FAIL)


def listed(lines: Sequence[str]) -> str:
    """Lines as one value."""
    return "\n".join(lines) or "none"


def _zone_text(start: int, spanned: int, present: int, managed: int) -> str:
    if not spanned and not present and not managed:
        return "empty"
    return f"from page {start}: {spanned} spanned, {present} present, {managed} managed"


def _count_text(zone: ZoneCount | None) -> str:
    return _zone_text(zone.start, zone.spanned, zone.present, zone.managed) if zone else "missing"


def _extents_text(extents: Sequence[Extent]) -> str:
    return listed([f"{e.start:08x}-{e.end - 1:08x}" for e in extents])


def _blocks_text(blocks: Sequence[tuple[int, str]]) -> str:
    """``0-3 online, 8 offline``: runs of neighbours in the same state."""
    runs = groupby(enumerate(blocks), lambda item: (item[1][0] - item[0], item[1][1]))
    texts = []
    for (_, state), run in runs:
        numbers = [block[0] for _, block in run]
        texts.append(f"{numbers[0]}-{numbers[-1]} {state}" if len(numbers) > 1 else f"{numbers[0]} {state}")
    return ", ".join(texts) or "none"


def _view(outcome: Outcome[Mainline], snapshot: Snapshot) -> StepView:
    return StepView(
        outcome.step,
        outcome.label,
        seen_result(outcome, snapshot),
        snapshot.meminfo["MemTotal"],
        snapshot.meminfo["MemFree"],
        outcome.vm.mem_total_kib,
        tuple((z.name, z.spanned, z.present, z.managed) for z in snapshot.zones if z.node == 0),
        snapshot.status,
    )
