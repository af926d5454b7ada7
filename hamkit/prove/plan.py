"""The plan that haminit follows in the guest: one line a fact or a step, words parted by tabs.

``ham-src/guest/text.c`` reads it, ``ham-src/guest/steps.c`` carries the steps out, for every kernel line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import assert_never

from hamkit.errors import UserError
from hamkit.model.scenario import AbuseStep, AddStep, FaultStep, RetryStep, RunStep, Step, UseStep

PATH = "/plan"  # where haminit looks for it
MOST_WORDS = 20  # in a line; as in haminit.h


@dataclass(frozen=True)
class Plan:
    """``modules`` and ``programs`` by name: where they are in the guest; a program named ``insmod`` links
    modules for kernels that do not do it themselves.

    ``reports``: what is reported of every step: paths, or ``blocks``, ``dmesg``, ``output``; ``facts``: the
    same of step 0 only. ``load``: modules loaded before the first step, in order. ``pause``: after each
    step's report the guest writes ``@@ham pause N`` and waits for a line on the report's port. ``serve``:
    after the steps it waits there for more of them (see ``request``), an empty line ends that. ``reboot``:
    the kernel cannot switch the machine off.
    """

    modules: Mapping[str, str]
    programs: Mapping[str, str]
    reports: tuple[str, ...]
    steps: tuple[Step, ...]
    facts: tuple[str, ...] = ()
    load: tuple[str, ...] = ("ham",)
    pause: bool = False
    serve: bool = False
    reboot: bool = False


def render(plan: Plan) -> str:
    """The file's text. Raises UserError for a word that cannot stand in it."""
    lines: list[tuple[str, ...]] = [("module", *pair) for pair in sorted(plan.modules.items())]
    lines += [("program", *pair) for pair in sorted(plan.programs.items())]
    lines += [("report", name) for name in plan.reports]
    lines += [("report-once", name) for name in plan.facts]
    lines += [(flag,) for flag in ("pause", "reboot") if getattr(plan, flag)]
    lines += [("load", name) for name in plan.load]
    lines += [("step", step.label, *words(step)) for step in plan.steps]
    lines += [("serve",)] if plan.serve else []
    return "".join(_line(line) for line in lines)


def request(step: Step) -> str:
    """The line that asks a serving guest for a step."""
    return _line(("step", step.label, *words(step)))


def words(step: Step) -> tuple[str, ...]:
    """What is done, and with what."""
    match step:
        case AddStep(start=start, size=size, attr=attr):
            return ("add", f"{start:#x}", f"{size:#x}", attr.value)
        case UseStep(size=size):
            return ("use", str(size))
        case FaultStep(count=count):
            return ("fault", str(count))
        case RetryStep():
            return ("retry",)
        case AbuseStep():
            return ("run", "hamabuse")
        case RunStep(words=words_):
            return ("run", *words_)
        case _:
            assert_never(step)


def needed_programs(steps: Iterable[Step]) -> tuple[str, ...]:
    """Names of the programs that the steps run in the guest, sorted."""
    needs = {"add": "hamctl", "retry": "hamctl", "abuse": "hamabuse"}
    steps = tuple(steps)
    own = {step.words[0] for step in steps if isinstance(step, RunStep)}
    return tuple(sorted(own | {needs[step.action] for step in steps if step.action in needs}))


def _line(line: tuple[str, ...]) -> str:
    bad = next((word for word in line if not word or set(word) & set("\t\n\0")), None)
    if bad is not None or len(line) > MOST_WORDS:
        raise UserError(f"{bad or line!r} cannot stand in the guest's plan", "no tab, no newline, few words")
    return "\t".join(line) + "\n"
