"""Ranges as text, as mhp_sim takes them on both kernel lines: under sanitizers, against Python's numbers."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hamkit.run import run

from .ham_driver import SANITIZERS, SOURCE, STRICT

RANGE = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([KkMmGg]?)\+(0[xX][0-9a-fA-F]+|[0-9]+)([KkMmGg]?)(:rw|:ro)?")
SHIFT = {"": 0, "K": 10, "M": 20, "G": 30}
TEXTS = st.lists(
    st.sampled_from([*"0123456789abcdefxX+:KMGkmg -,", "0x", ":rw", ":ro", "ffffffff", "184467440737"]),
    max_size=14,
).map("".join)

Parse = Callable[[list[str]], list[str]]


@pytest.fixture(scope="session")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed: apt-get install gcc libc6-dev")
    program = tmp_path_factory.mktemp("range") / "driver"
    sources = [SOURCE / "mhp" / "mhp_range.c", SOURCE / "tests" / "range_driver.c"]
    includes = [f"-I{SOURCE / 'include'}", f"-I{SOURCE / 'mhp'}"]
    run(["gcc", *STRICT.split(), *SANITIZERS.split(), *includes, *sources, "-o", program])
    return lambda lines: run(
        [program], data="".join(f"{line}\n" for line in lines).encode()
    ).stdout.splitlines()


def expected(text: str) -> str:
    match = RANGE.fullmatch(text)
    if not match:
        return "bad"
    numbers = [int(match[i], 16 if match[i][1:2] in "xX" and len(match[i]) > 2 else 10) for i in (1, 3)]
    wide = [n << SHIFT[match[i].upper()] for n, i in zip(numbers, (2, 4), strict=True)]
    if max(wide) >> 64:
        return "bad"
    return f"{wide[0]:x} {wide[1]:x} {int(match[5] != ':ro')}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(TEXTS, min_size=20, max_size=60))
@example(lines=["0x10000000+128M", "1G+1g:ro", "0+0", "18446744073709551615+0xffffffffffffffff:rw"])
@example(lines=["18446744073709551616+1", "0x10000000000000000+1", "17179869184G+1", "16G+17179869183G"])
@example(lines=["", "+", "1+", "+1", "0x+1", "1+0x", "1+1:", "1+1:rx", "1+1:rw ", "-1+1", " 1+1", "1KK+1"])
def test_ranges_are_read_as_documented(parse: Parse, lines: list[str]) -> None:
    assert parse(lines) == [expected(line) for line in lines]
