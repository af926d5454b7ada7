"""From the flags of a task to the request of a distribution's pipeline."""

from pathlib import Path

from hamkit import scenarios
from hamkit.build import lock as locks
from hamkit.courses.distribution import Request
from hamkit.model.scenario import Line
from hamkit.tasks.sources import spec_of


def request_for(
    distro: str,
    flavour: str | None = None,
    scenario: str | None = None,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
    stand_in: bool = False,
    lock: str = "",
) -> Request:
    return Request(
        spec=spec_of(distro),
        scenario=scenarios.load(Path(scenario) if scenario else None, Line.MAINLINE),
        flavour=flavour,
        testing=testing,
        renew=renew,
        keep=keep,
        stand_in=stand_in,
        lock=locks.load(Path(lock)) if lock else None,
    )
