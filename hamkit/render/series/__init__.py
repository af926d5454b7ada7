"""The kernel patch series: rendered for one tree, as ordered unified diffs that patch, quilt and git take."""

from hamkit.render.series.cache import cached_series
from hamkit.render.series.check import check_tree
from hamkit.render.series.render import SeriesRequest, SeriesResult, render_series, unsupported

__all__ = [
    "SeriesRequest",
    "SeriesResult",
    "cached_series",
    "check_tree",
    "render_series",
    "unsupported",
]
