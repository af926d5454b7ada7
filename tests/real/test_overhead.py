"""What hot-add costs a real 2.4 kernel, in instructions: limits held, and rounds that agree."""

from __future__ import annotations

import re
import shutil

import pytest

from hamkit.build.kernel24.toolchain import known_toolchains
from hamkit.courses.overhead import OverheadPipeline, OverheadRequest
from hamkit.files import cache_root
from hamkit.progress import Quiet
from hamkit.prove.overhead.verdicts import HOTADD
from hamkit.stage import Verdict
from tests.real.test_kernel24 import GUEST_CC, tree

SPREAD = re.compile(r"rounds differ by (\d+\.\d+)%")
pytestmark = [pytest.mark.kernels24, pytest.mark.qemu]


def test_the_patched_kernel_stays_within_its_limits() -> None:
    tree("linux-2.4.13")
    if not known_toolchains():
        pytest.skip(f"no compiler for 2.4: put a gcc 2.95 for i386 below {cache_root()}/toolchains/NAME/bin")
    if shutil.which(GUEST_CC) is None:
        pytest.skip(f"no {GUEST_CC}: dpkg --add-architecture i386, then apt-get install musl-dev:i386")
    pipeline = OverheadPipeline(OverheadRequest("linux-2.4.13", rounds=2), Quiet())
    with pipeline.locked():
        made = pipeline.result
    assert {row.verdict for row in made.rows} == {Verdict.PASS}, made.rows
    # Where the timer's interrupts fall moves a count by hundredths of a per cent (0.04 seen); the limits
    # are held by the worst of the rounds, and the tightest of them leaves 0.3.
    spreads = [SPREAD.fullmatch(row.why) for row in made.rows if row.why]
    assert all(spread and float(spread[1]) <= 0.1 for spread in spreads), made.rows
    hotadd = next(row for row in made.rows if row.phase == HOTADD)
    assert hotadd.patched is not None
    assert hotadd.patched > 1_000_000  # a region of 1 GB was really made
    for row in made.modes:
        assert set(row.stock) == {"none", "4G", "64G"}
        assert row.stock["64G"] >= 0.9 * row.stock["none"]
