"""What a package asks for, gives and replaces: names with a range of versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest

from hamkit.prove.rpm.evr import Evr
from hamkit.rpmfiles.package import Package
from hamkit.rpmfiles.tags import Tag

LESS, GREATER, EQUAL = 2, 4, 8
REQUIRES = (Tag.REQUIRENAME, Tag.REQUIREFLAGS, Tag.REQUIREVERSION)
PROVIDES = (Tag.PROVIDENAME, Tag.PROVIDEFLAGS, Tag.PROVIDEVERSION)
CONFLICTS = (Tag.CONFLICTNAME, Tag.CONFLICTFLAGS, Tag.CONFLICTVERSION)
OBSOLETES = (Tag.OBSOLETENAME, Tag.OBSOLETEFLAGS, Tag.OBSOLETEVERSION)
SIGNS = {LESS: "<", LESS | EQUAL: "<=", EQUAL: "=", GREATER | EQUAL: ">=", GREATER: ">"}


@dataclass(frozen=True)
class Dependency:
    """``name``, or ``name < version``: ``flags`` are LESS, GREATER and EQUAL, 0 for any version."""

    name: str
    flags: int = 0
    version: str = ""

    def covers(self, evr: Evr) -> bool:
        """Whether a version lies in the range; one stated without a release is any release's."""
        if not self.version or not self.flags & (LESS | GREATER | EQUAL):
            return True
        bound = Evr.parse(self.version)
        order = (evr if bound.release is not None else replace(evr, release=None)).compare(bound)
        return bool(self.flags & (LESS if order < 0 else GREATER if order > 0 else EQUAL))

    def __str__(self) -> str:
        sign = SIGNS.get(self.flags & (LESS | GREATER | EQUAL))
        return f"{self.name} {sign} {self.version}" if sign and self.version else self.name


def dependencies(package: Package, tags: tuple[Tag, Tag, Tag]) -> Iterator[Dependency]:
    """Those of one kind: REQUIRES, PROVIDES, CONFLICTS or OBSOLETES."""
    names, flags, versions = tags
    header = package.header
    columns = header.strings(names), header.integers(flags), header.strings(versions)
    return (Dependency(n or "", f or 0, v or "") for n, f, v in zip_longest(*columns))
