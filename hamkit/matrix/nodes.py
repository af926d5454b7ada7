"""The questions of both lines as data: what each answers, needs, is made by, and which answers last.

Data only: who answers them imports half the house, which a run that finds all in the cache need not do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hamkit.matrix.graph import Node
from hamkit.stage import Verdict

PASSES = frozenset({Verdict.PASS})
ALWAYS: frozenset[Verdict] = frozenset()  # the engine knows what images there are

RENDERERS = ("hamkit/kernel", "hamkit/render", "patches", "templates/kernel")
TREES_COURSE = ("hamkit/courses/tree.py", "hamkit/courses/linux24.py")
PACKAGES_COURSE = ("hamkit/courses/distribution.py",)
TWICE = ("hamkit/courses/reproduce.py",)
BUILDERS = ("hamkit/build/kernel24", "templates/config24", *TREES_COURSE)
PATCH_PACKERS = (
    *("specs", "hamkit/build", "hamkit/render", "templates/spec", "templates/image"),
    *PACKAGES_COURSE,
)
PACKERS = (
    *("hamkit/build", "hamkit/render", "templates/spec", "ham-src", "CHANGELOG.md"),
    *PACKAGES_COURSE,
)
CHECKERS = ("hamkit/prove/rpm", "hamkit/rpmfiles")
PROVERS = ("hamkit/prove", "hamkit/model")
COUNTERS = ("hamkit/courses/overhead.py", "hamkit/prove", *BUILDERS, "specs/limits", "ham-src")

ASKERS = ("hamkit/matrix/answers.py", "hamkit/matrix/booting.py")  # who makes cells of what stages say

BOOTED = ("boots", "adds", "model")
SERIES = ("facts", "patch", "applies", "configures", "builds")


def _asked_by(asker: str, nodes: tuple[Node, ...]) -> tuple[Node, ...]:
    return tuple(replace(node, makers=(*node.makers, *ASKERS, asker)) for node in nodes)


TREES = _asked_by(
    "hamkit/matrix/trees.py",
    (
        Node("identify", ("identify",), (), makers=("hamkit/kernel",)),
        Node("facts", ("facts",), ("identify",), makers=("hamkit/kernel", "patches/series.toml")),
        Node(
            "patch",
            ("patch", "applies"),
            ("facts",),
            makers=(*RENDERERS, "hamkit/build/kernel24/apply.py"),
            tools=("spatch",),
        ),
        Node("kernel", ("configures", "builds"), ("patch",), makers=BUILDERS, tools=("toolchain",)),
        Node("modules", ("modules",), ("kernel",), makers=(*BUILDERS, "ham-src"), tools=("toolchain",)),
        Node(
            "boot",
            BOOTED,
            ("modules",),
            makers=(*PROVERS, *TREES_COURSE, "ham-src"),
            tools=("qemu", "scenario"),
            lasting=PASSES,
        ),
        Node("srpm", ("srpm",), ("patch",), makers=PATCH_PACKERS),
        Node("rpm", ("rpm",), ("srpm",), makers=(*PATCH_PACKERS, *CHECKERS)),
        Node(
            "reproducible", ("reproducible",), ("modules",), makers=(*RENDERERS, *BUILDERS, *TWICE, "ham-src")
        ),
        Node("overhead", ("overhead",), ("modules",), makers=COUNTERS, tools=("toolchain", "qemu")),
    ),
)

DISTRIBUTIONS = _asked_by(
    "hamkit/matrix/mainline.py",
    (
        Node("image", ("identify",), (), lasting=ALWAYS),
        Node("unpatched", SERIES, ()),
        Node("srpm", ("srpm",), ("image",), makers=PACKERS),
        Node("rpm", ("rpm",), ("srpm",), makers=CHECKERS),
        Node("modules", ("modules",), ("srpm", "image"), makers=PACKERS),
        Node(
            "boot",
            BOOTED,
            ("modules", "image"),
            makers=(*PROVERS, *PACKAGES_COURSE),
            tools=("qemu", "scenario"),
            lasting=PASSES,
        ),
        Node("reproducible", ("reproducible",), ("modules", "image"), makers=(*PACKERS, *TWICE)),
        Node("uncounted", ("overhead",), ()),
    ),
)

LINES: Mapping[str, tuple[Node, ...]] = {"2.4": TREES, "mainline": DISTRIBUTIONS}
