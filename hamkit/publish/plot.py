"""Geometry of the page's plot of memory per step.

Across, everything is in per cent of the plot's width, so that one drawing fits a
desktop and a phone without scaling its text; down, in pixels from the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hamkit.publish.record import StepRecord

HEIGHT = 264.0
BAR_SHARE = 0.62
KIB_PER_PAGE = 4
KIB_PER_MIB = 1024
MOST_TICKS = 8
DENSE_FROM = 13


@dataclass(frozen=True)
class Tick:
    """A value of the memory axis in MiB."""

    y: float
    mib: int


@dataclass(frozen=True)
class Segment:
    """One zone's managed memory within a step's bar; ``zone`` is its index in the legend."""

    zone: int
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """One step: its band, its bar, and the height of its three values."""

    step: StepRecord
    band: float
    band_width: float
    left: float
    width: float
    centre: float
    segments: tuple[Segment, ...]
    total_y: float
    expected_y: float
    free_y: float

    @property
    def agrees(self) -> bool:
        return self.step.mem_total_kib == self.step.expected_total_kib


@dataclass(frozen=True)
class Stroke:
    """A straight piece of a line: across in per cent, down in pixels."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Plot:
    """All that the template draws."""

    height: float
    ticks: tuple[Tick, ...]
    columns: tuple[Column, ...]
    zones: tuple[str, ...]
    model: tuple[Stroke, ...]
    free: tuple[Stroke, ...]
    dense: bool


def plot(steps: tuple[StepRecord, ...]) -> Plot | None:
    """The plot of a run, nothing for a run without steps."""
    if not steps:
        return None
    top = max(max(s.mem_total_kib, s.expected_total_kib, s.mem_free_kib) for s in steps)
    ticks = _tick_values(top / KIB_PER_MIB)
    scale = HEIGHT / (ticks[-1] * KIB_PER_MIB)
    zones = tuple(dict.fromkeys(z.name for s in steps for z in s.zones if z.managed))
    columns = tuple(_column(i, len(steps), step, zones, scale) for i, step in enumerate(steps))
    return Plot(
        HEIGHT,
        tuple(Tick(_down(value * KIB_PER_MIB, scale), value) for value in ticks),
        columns,
        zones,
        _stairs(columns),
        tuple(Stroke(a.centre, a.free_y, b.centre, b.free_y) for a, b in pairwise(columns)),
        len(steps) >= DENSE_FROM,
    )


def _column(i: int, count: int, step: StepRecord, zones: tuple[str, ...], scale: float) -> Column:
    band = 100 / count
    width = band * BAR_SHARE
    return Column(
        step,
        round(i * band, 3),
        round(band, 3),
        round(i * band + (band - width) / 2, 3),
        round(width, 3),
        round((i + 0.5) * band, 3),
        _segments(step, zones, scale),
        _down(step.mem_total_kib, scale),
        _down(step.expected_total_kib, scale),
        _down(step.mem_free_kib, scale),
    )


def _segments(step: StepRecord, zones: tuple[str, ...], scale: float) -> tuple[Segment, ...]:
    found = []
    below = 0
    for zone in step.zones:
        if not zone.managed:
            continue
        kib = zone.managed * KIB_PER_PAGE
        found.append(Segment(zones.index(zone.name), _down(below + kib, scale), round(kib * scale, 2)))
        below += kib
    return tuple(found)


def _stairs(columns: tuple[Column, ...]) -> tuple[Stroke, ...]:
    """The model's value as a stair: level across each step's band, upright between bands."""
    level = [Stroke(c.band, c.expected_y, round(c.band + c.band_width, 3), c.expected_y) for c in columns]
    upright = [Stroke(b.x1, a.y1, b.x1, b.y1) for a, b in pairwise(level) if a.y1 != b.y1]
    return (*level, *upright)


def _tick_values(top: float) -> tuple[int, ...]:
    """Round values in MiB from 0 to at least ``top``: memory comes in powers of two, so do they."""
    distance = 1
    while distance * (MOST_TICKS - 1) < top:
        distance *= 2
    values = [0]
    while values[-1] < top or len(values) == 1:
        values.append(values[-1] + distance)
    return tuple(values)


def _down(kib: float, scale: float) -> float:
    return round(HEIGHT - kib * scale, 2)
