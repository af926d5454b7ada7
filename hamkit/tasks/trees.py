"""From the flags of a task to the request of a 2.4 tree's pipeline: without a distribution's, and so without
Docker's client."""

from pathlib import Path

from hamkit import scenarios
from hamkit.courses.linux24 import TreeRequest
from hamkit.model.scenario import Line


def tree_request(
    tree: str,
    scenario: str | None,
    flavour: str | None,
    highmem: str = "",
    toolchain: str = "",
    reserve_mb: int = 0,
    modversions: bool = False,
    testing: bool = False,
    renew: bool = False,
    keep: bool = False,
) -> TreeRequest:
    return TreeRequest(
        tree=tree,
        scenario=scenarios.load(Path(scenario), Line.LINUX24) if scenario else None,
        flavour=flavour or "",
        highmem=highmem,
        toolchain=toolchain,
        reserve_mb=reserve_mb or None,
        modversions=modversions,
        testing=testing,
        renew=renew,
        keep=keep,
    )
