"""A scenario's steps carried through HAM and the VM below it, whatever the kernel line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from hamkit.model.extents import TOP, Extent
from hamkit.model.ranges import Ham, Vm
from hamkit.model.scenario import AddStep, Errno, FaultStep, RetryStep, Step

V = TypeVar("V", bound=Vm)


@dataclass(frozen=True)
class Outcome(Generic[V]):
    """After one step. ``step`` 0 is the boot and has no ``action``.

    ``refusals`` are the requests that HAM refused in this step, each with the range that
    its kernel log line names.
    """

    step: int
    action: Step | None
    result: Errno
    refusals: tuple[tuple[str, Errno], ...]
    ham: Ham[V]

    @property
    def label(self) -> str:
        return self.action.label if self.action else "boot"

    @property
    def vm(self) -> V:
        return self.ham.vm


def carry(vm: V, steps: Sequence[Step], settle: Callable[[V], V]) -> tuple[Outcome[V], ...]:
    """Outcomes of step 0 (boot) to the last one.

    ``settle`` is what the guest does with the VM after an add that succeeded and after a retry.
    """
    return tuple(_outcomes(Ham(vm), steps, settle))


def request_text(step: AddStep) -> str:
    """The range as log lines name it: the first address twice when there is no last one."""
    if step.size == 0 or step.start + step.size >= TOP:
        return f"{step.start:016x}-{step.start:016x}"
    return str(Extent(step.start, step.start + step.size))


def _outcomes(ham: Ham[V], steps: Sequence[Step], settle: Callable[[V], V]) -> Iterator[Outcome[V]]:
    yield Outcome(0, None, Errno.OK, (), ham)
    for number, step in enumerate(steps, 1):
        ham, result, refusals = _do(ham, step)
        if isinstance(step, RetryStep) or (isinstance(step, AddStep) and result is Errno.OK):
            ham = replace(ham, vm=settle(ham.vm))
        yield Outcome(number, step, result, refusals, ham)


def _do(ham: Ham[V], step: Step) -> tuple[Ham[V], Errno, tuple[tuple[str, Errno], ...]]:
    if isinstance(step, AddStep):
        after, result = ham.add(step.start, step.size, step.attr)
        return after, result, () if result is Errno.OK else ((request_text(step), result),)
    if isinstance(step, RetryStep):
        after, results = ham.retry()
        refusals = tuple((str(extent), r) for extent, r in results if r is not Errno.OK)
        return after, refusals[0][1] if refusals else Errno.OK, refusals
    if isinstance(step, FaultStep):
        return replace(ham, faults=step.count), Errno.OK, ()
    return ham, Errno.OK, ()
