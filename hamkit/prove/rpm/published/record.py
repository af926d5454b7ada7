"""What is kept of a repository: the packages that have to do with the one that is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hamkit.errors import UserError
from hamkit.prove.rpm.dependency import OBSOLETES, PROVIDES, Dependency, dependencies
from hamkit.prove.rpm.evr import Evr, Nevra
from hamkit.rpmfiles.package import Package
from hamkit.rpmfiles.tags import Tag

SOURCE_ARCHES = frozenset({"src", "nosrc"})
MOST_RELEVANT = 50_000


@dataclass(frozen=True)
class PublishedPackage:
    """One package of a place. ``digests`` are of its file, by hashlib's names; ``header`` is the SHA-256 of
    its main header where the file itself was read. ``nevra.arch`` is empty where a list does not tell."""

    nevra: Nevra
    digests: Mapping[str, str] = field(default_factory=dict)
    header: str = ""
    provides: tuple[Dependency, ...] = ()
    obsoletes: tuple[Dependency, ...] = ()

    @property
    def is_source(self) -> bool:
        return self.nevra.arch in SOURCE_ARCHES


def evr_of(package: Package) -> Evr:
    header = package.header
    version, release = header.string(Tag.VERSION), header.string(Tag.RELEASE)
    return Evr(header.integer(Tag.EPOCH) or 0, version, release)


def nevra_of(package: Package) -> Nevra:
    """A package's full name; ``src`` is a source package's architecture, whatever it was built on."""
    header = package.header
    source = "nosrc" if Tag.NOSOURCE in header or Tag.NOPATCH in header else "src"
    arch = source if package.is_source else header.string(Tag.ARCH)
    return Nevra(header.string(Tag.NAME), evr_of(package), arch)


def folded(name: str) -> str:
    """Names that are easily taken for each other are the same folded."""
    return name.lower().replace("_", "-")


@dataclass(frozen=True)
class Interest:
    """What to keep: packages of the same or nearly the same name, those whose names the package provides or
    obsoletes, and those that provide or obsolete its name. Source packages for a source package only."""

    name: str
    source: bool
    related: frozenset[str]

    @classmethod
    def of(cls, package: Package) -> Interest:
        others = (d.name for kind in (PROVIDES, OBSOLETES) for d in dependencies(package, kind))
        related = frozenset() if package.is_source else frozenset(others)
        return cls(package.header.string(Tag.NAME), package.is_source, related)

    def wants(self, package: PublishedPackage) -> bool:
        arch, name = package.nevra.arch, package.nevra.name
        if arch and package.is_source != self.source:
            return False
        if folded(name) == folded(self.name) or name in self.related:
            return True
        theirs = (*package.provides, *package.obsoletes)
        return not self.source and any(d.name == self.name for d in theirs)


@dataclass(frozen=True)
class Published:
    """A place that was read: ``total`` packages are there, ``packages`` are those of interest.

    ``kind`` in words; ``digests`` tells whether the place knows its packages' digests.
    """

    place: str
    kind: str
    total: int
    packages: tuple[PublishedPackage, ...]
    digests: bool = True


def chosen(interest: Interest, found: Iterable[PublishedPackage]) -> tuple[int, tuple[PublishedPackage, ...]]:
    """How many packages there are, and those of interest. Raises UserError when these are beyond number."""
    total, kept = 0, []
    for package in found:
        total += 1
        if interest.wants(package):
            kept.append(package)
            if len(kept) > MOST_RELEVANT:
                raise UserError(
                    f"more than {MOST_RELEVANT} published packages have to do with {interest.name}",
                    "name a repository of a distribution",
                )
    return total, tuple(kept)
