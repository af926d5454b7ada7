"""What courses about a 2.4 tree have in common: the tree, its compiler, the series for it."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

from hamkit.build.kernel24.toolchain import Toolchain, find_toolchain
from hamkit.courses.course import Course
from hamkit.fetch.source import find_source
from hamkit.kernel.facts import KernelFacts, probe
from hamkit.kernel.source import KernelSource
from hamkit.render.series import SeriesResult
from hamkit.render.series.cache import cached_series

SERIES_RESERVE_MB = 128  # what the series' option asks for when the configuration does not say


class AboutTree(Protocol):
    """A request for a tree: its place or name, the compiler's name (empty: the one there is), no cache."""

    @property
    def tree(self) -> str: ...
    @property
    def toolchain(self) -> str: ...
    @property
    def renew(self) -> bool: ...


class TreeCourse(Course):
    """Each stage is run at most once."""

    request: AboutTree

    @cached_property
    def source(self) -> KernelSource:
        return find_source(self.request.tree, self.progress)

    @cached_property
    def toolchain(self) -> Toolchain:
        return find_toolchain(self.request.toolchain)

    @cached_property
    def facts(self) -> KernelFacts:
        return probe(self.source.root)

    @cached_property
    def series(self) -> SeriesResult:
        with self.stage("patch"):
            asked = (self.source, SERIES_RESERVE_MB, self.progress, self.request.renew)
            made = cached_series(*asked, self.facts)
        return self.ended(made, made.stage)
