"""rpm's order of versions: known cases and the laws of an order (tests/real asks the real rpm)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hamkit.prove.rpm.evr import Evr, Nevra, compare_versions

VERSIONS = st.text("0129azAB.~^+_-", max_size=10)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ("1.0", "2.0"),
        ("1.0", "1.0.1"),
        ("2.0.1", "2.0.1a"),
        ("5.5p1", "5.5p10"),
        ("10xyz", "10.1xyz"),
        ("xyz.4", "8"),
        ("6.0", "6.0.rc1"),
        ("9", "10"),
        ("1.0~rc1", "1.0"),
        ("1.0~rc1", "1.0~rc2"),
        ("1.0~~", "1.0~"),
        ("1.0", "1.0^git1"),
        ("1.0^git1", "1.0.1"),
        ("1.0^git1", "1.01"),
        ("1.0^git1~pre", "1.0^git1"),
        ("1.0~rc1", "1.0~rc1^git1"),
        ("", "1"),
    ],
)
def test_order(low: str, high: str) -> None:
    assert compare_versions(low, high) == -1
    assert compare_versions(high, low) == 1


@pytest.mark.parametrize(("one", "two"), [("2_0", "2.0"), ("10.0001", "10.1"), ("a+", "a"), ("1..2", "1.2")])
def test_equal(one: str, two: str) -> None:
    assert compare_versions(one, two) == 0


@given(VERSIONS, VERSIONS, VERSIONS)
def test_is_an_order(one: str, two: str, three: str) -> None:
    first, second = compare_versions(one, two), compare_versions(two, three)
    assert compare_versions(one, one) == 0
    assert compare_versions(two, one) == -first
    if first == second:
        assert compare_versions(one, three) == first


def test_epoch_and_release() -> None:
    assert Evr.parse("1:0.9-1").compare(Evr.parse("2.0-1")) == 1
    assert Evr.parse("1.0-2").compare(Evr.parse("1.0-10")) == -1
    assert Evr.parse("1.0").compare(Evr.parse("1.0-1")) == -1
    assert Evr.parse("0:1.0-1") == Evr.parse("1.0-1")
    assert Evr.parse("3:1.0-2") == Evr(3, "1.0", "2")
    assert str(Nevra("ham", Evr.parse("2:1.0~rc1-3"), "x86_64")) == "ham-2:1.0~rc1-3.x86_64"
