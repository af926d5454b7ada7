"""Damage: a flipped byte anywhere is refused or harmless, and every truncation is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hamkit.errors import UserError
from hamkit.rpmfiles import BadPackage, extract_rpm
from hamkit.stage import Verdict
from tests.unit.rpm_writer import BINARY_FILES, Recipe, write
from tests.unit.test_rpm_rules import DEBIAN, RPM_602, judge

HARMLESS = {8, 9, 76, 77}
"""The lead's machine and system numbers: no rpm since 4.0 reads them, nothing else is derived
from them. Every other byte of lead, signature header, header and payload is held against
something: a digest, a size, the format, or the header."""

SOURCE, BINARY = Recipe(), Recipe(source=False, files=BINARY_FILES)
PACKAGES = {
    "source": (write(SOURCE), DEBIAN),
    "binary-xz": (write(replace(BINARY, compressor="xz")), DEBIAN),
    "source-none": (write(replace(SOURCE, compressor="none")), DEBIAN),
    "format-6": (write(replace(BINARY, form=6)), RPM_602),
}
FUZZ = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def extracted(path: Path) -> dict[str, bytes] | None:
    try:
        return extract_rpm(path, lambda _name: True)
    except (BadPackage, UserError):
        return None


@pytest.mark.parametrize("name", PACKAGES)
def test_every_byte_matters(tmp_path: Path, name: str) -> None:
    """One bit of each byte, all bytes: taken only where it is harmless."""
    whole, spec = PACKAGES[name]
    taken = set()
    for place in range(len(whole)):
        mutant = bytearray(whole)
        mutant[place] ^= 1 << place % 8
        result = judge(tmp_path, bytes(mutant), spec)
        assert "\n" not in result.stage.detail
        if result.stage.verdict is not Verdict.FAIL:
            taken.add(place)
    assert taken == HARMLESS


@FUZZ
@given(st.data())
def test_damage_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Several bytes overwritten, removed or put in: never a traceback, never taken."""
    whole, spec = PACKAGES[data.draw(st.sampled_from(sorted(PACKAGES)))]
    place = data.draw(st.integers(0, len(whole) - 1))
    removed = data.draw(st.integers(0, 12))
    added = data.draw(st.binary(max_size=12))
    mutant = whole[:place] + added + whole[place + removed :]
    result = judge(tmp_path, mutant, spec)
    changed = {i for i, (a, b) in enumerate(zip(whole, mutant, strict=False)) if a != b}
    same = len(whole) == len(mutant) and changed <= HARMLESS
    assert result.stage.verdict is (Verdict.PASS if same else Verdict.FAIL)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_truncation_is_refused(tmp_path: Path, name: str) -> None:
    whole, spec = PACKAGES[name]
    for length in range(len(whole)):
        result = judge(tmp_path, whole[:length], spec)
        assert result.stage.verdict is Verdict.FAIL, length


@pytest.mark.parametrize("name", PACKAGES)
def test_bytes_behind_the_end_are_refused(tmp_path: Path, name: str) -> None:
    whole, spec = PACKAGES[name]
    assert judge(tmp_path, whole + bytes(1), spec).stage.verdict is Verdict.FAIL


@FUZZ
@given(st.binary(max_size=400))
@example(b"\xed\xab\xee\xdb")
def test_noise_is_refused(tmp_path: Path, noise: bytes) -> None:
    for content in (noise, write(SOURCE)[:96] + noise):
        assert judge(tmp_path, content).stage.verdict is Verdict.FAIL


@FUZZ
@given(st.integers(0, len(PACKAGES["source"][0]) - 1), st.integers(1, 255))
def test_extraction_gives_the_truth_or_nothing(tmp_path: Path, place: int, mask: int) -> None:
    mutant = bytearray(PACKAGES["source"][0])
    mutant[place] ^= mask
    path = tmp_path / "x.rpm"
    path.write_bytes(mutant)
    files = extracted(path)
    truth = {f.name: f.data for f in SOURCE.files}
    assert files in (None, truth)
