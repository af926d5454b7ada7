"""Rules on what is published already: is the package new there, and does rpm take it for an upgrade?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hamkit.files import digest_file
from hamkit.prove.rpm.dependency import CONFLICTS, OBSOLETES, PROVIDES, Dependency, dependencies
from hamkit.prove.rpm.evr import Evr, Nevra, compare_versions
from hamkit.prove.rpm.published.record import PublishedPackage, folded, nevra_of
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of

INTEL_32 = frozenset({"i386", "i486", "i586", "i686", "athlon"})
NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")
PARTS = ("patch", "minor", "major")
RELEASE = (
    "raise Release (spec field rpm.release_suffix, or release of the dialect), or Version: "
    "invoke version.bump --part patch"
)


def _all(subject: Subject) -> Iterator[PublishedPackage]:
    return (package for place in subject.published for package in place.packages)


def _same_name(subject: Subject) -> list[PublishedPackage]:
    name = nevra_of(subject.package).name
    return [p for p in _all(subject) if p.nevra.name == name]


def _rivals(subject: Subject) -> list[PublishedPackage]:
    """Published packages that rpm upgrades to this one, or this one to."""
    ours = nevra_of(subject.package)
    return [p for p in _same_name(subject) if _fit(ours.arch, p.nevra.arch)]


def _fit(ours: str, theirs: str) -> bool:
    """Whether rpm replaces one architecture's package by the other's; an unknown one fits all."""
    same = ours == theirs or {ours, theirs} <= INTEL_32 or {ours, theirs} <= {"src", "nosrc"}
    return same or "" in (ours, theirs) or "noarch" in (ours, theirs)


def _newest(subject: Subject) -> Nevra | None:
    newest: Nevra | None = None
    for package in _rivals(subject):
        if newest is None or package.nevra.evr.compare(newest.evr) > 0:
            newest = package.nevra
    return newest


def _places(subject: Subject) -> str:
    return ", ".join(f"{p.place} ({p.kind} of {p.total})" for p in subject.published)


def _name(subject: Subject) -> Outcome | None:
    """A package that nobody published under its name is new, unless it is called nearly the same."""
    if not subject.published:
        return None
    ours, same = nevra_of(subject.package), _same_name(subject)
    wanted = "the name that it is published under"
    if same:
        return Outcome(True, f"{len(same)} of {ours.name} in {_places(subject)}", wanted)
    near = sorted({p.nevra.name for p in _all(subject) if folded(p.nevra.name) == folded(ours.name)})
    if near:
        return Outcome(False, f"{ours.name}, where {near[0]} is published: another package to rpm", wanted)
    return Outcome(True, f"the first {ours.name} in {_places(subject)}", wanted)


def _arch(subject: Subject) -> Outcome | None:
    same = _same_name(subject)
    if not same:
        return None
    ours = nevra_of(subject.package).arch
    theirs = sorted({p.nevra.arch for p in same if p.nevra.arch})
    seen = f"{ours}; published: {', '.join(theirs) or 'unknown'}"
    return Outcome(bool(_rivals(subject)), seen, "an architecture whose packages rpm upgrades to this one")


def _republished(subject: Subject) -> Outcome | None:
    """The same name, version, release and architecture stand for the same bytes, for ever."""
    if not subject.published:
        return None
    ours, wanted = nevra_of(subject.package), "not published yet, or the same bytes"
    same = [p for p in _rivals(subject) if _is_same(ours, p.nevra)]
    outcomes = [_against(subject, ours, p) for p in same]
    for verdict in (False, None, True):
        for ok, seen in outcomes:
            if ok is verdict:
                return Outcome(ok, seen, wanted)
    return Outcome(True, f"{ours} is not published", wanted)


def _is_same(ours: Nevra, theirs: Nevra) -> bool:
    arch = ours.arch == theirs.arch or not theirs.arch or {ours.arch, theirs.arch} <= {"src", "nosrc"}
    return arch and ours.evr.compare(theirs.evr) == 0


def _against(subject: Subject, ours: Nevra, theirs: PublishedPackage) -> tuple[bool | None, str]:
    if ours.evr != theirs.nevra.evr:
        return False, f"{ours.evr} is the same to rpm as {theirs.nevra.evr}, which is published: no upgrade"
    for algorithm, digest in theirs.digests.items():
        if digest_file(subject.package.path, algorithm) == digest:
            return True, f"{ours} is published, the same bytes"
        same = theirs.header == subject.package.header.digest("sha256")
        what = ", only the signature is another" if same else ""
        return False, f"{ours} is published with other bytes: {algorithm} {digest[:16]}{what}"
    return None, f"{ours} is published; no digest there tells whether it is the same"


def _epoch(subject: Subject) -> Outcome | None:
    newest = _newest(subject)
    if newest is None:
        return None
    ours, theirs = nevra_of(subject.package).evr.epoch, newest.evr.epoch
    fix = f"Epoch: {theirs} in the preamble of the RPM spec's template; once given it stays for ever"
    return Outcome(ours >= theirs, f"epoch {ours}; published: {newest}", f"epoch {theirs} or more", fix)


def _upgrade(subject: Subject) -> Outcome | None:
    """Newer than the newest, or the newest itself; where the epoch decides, that rule tells."""
    newest, ours = _newest(subject), nevra_of(subject.package).evr
    if newest is None or ours.epoch != newest.evr.epoch:
        return None
    order = ours.compare(newest.evr)
    word = {1: "newer than", 0: "the same as", -1: "older than"}[order]
    seen = f"{ours} is {word} the published {newest}"
    if compare_versions(ours.version, newest.evr.version) < 0:
        return Outcome(order >= 0, seen, f"Version above {newest.evr.version}", _bump(ours, newest.evr))
    return Outcome(order >= 0, seen, f"{newest.evr} or newer", f"{RELEASE} (Release decides here)")


def _bump(ours: Evr, theirs: Evr) -> str:
    """Which bump makes the version the higher one: the least that does."""
    have = NUMBERS.fullmatch(ours.version)
    if have:
        major, minor, patch = map(int, have.groups())
        for part, version in zip(
            PARTS,
            (f"{major}.{minor}.{patch + 1}", f"{major}.{minor + 1}.0", f"{major + 1}.0.0"),
            strict=True,
        ):
            if compare_versions(version, theirs.version) > 0:
                return f"raise Version to {version}: invoke version.bump --part {part}"
    first = re.match(r"\d{1,9}", theirs.version)
    above = f"{int(first.group()) + 1}.0.0" if first else f"a version above {theirs.version}"
    return f"raise Version: invoke version.bump --to {above}"


def _obsoleted(subject: Subject) -> Outcome | None:
    """rpm's front ends remove a package that another one obsoletes, and never install it."""
    if not subject.published or subject.package.is_source:
        return None
    ours = nevra_of(subject.package)
    wrong = [
        f"{p.nevra} has Obsoletes: {o}"
        for p in _all(subject)
        if p.nevra.name != ours.name
        for o in p.obsoletes
        if o.name == ours.name and o.covers(ours.evr)
    ]
    return none_of(wrong, f"no published package that obsoletes {ours.name}-{ours.evr}")


def _replaces(subject: Subject) -> Outcome | None:
    """A package that takes another's name must say that it replaces it, and all of its versions."""
    if not subject.published or subject.package.is_source:
        return None
    wrong, good = [], []
    ours, package = nevra_of(subject.package), subject.package
    gone, against = list(dependencies(package, OBSOLETES)), list(dependencies(package, CONFLICTS))
    given = {d.name for d in dependencies(package, PROVIDES)}
    for theirs in (p.nevra for p in _all(subject) if p.nevra.name != ours.name):
        ranges = [d for d in gone if d.name == theirs.name]
        if any(d.covers(theirs.evr) for d in ranges):
            good.append(f"replaces {theirs}")
        elif ranges:
            wrong.append(f"Obsoletes: {ranges[0]} does not reach {theirs}")
        elif theirs.name in given and not _covered(against, theirs):
            wrong.append(f"Provides: {theirs.name} without Obsoletes or Conflicts for {theirs}")
    wanted = "Obsoletes for whatever published package it takes the place of"
    return none_of(wrong, wanted, ", ".join(good[:3]) or "replaces none")


def _covered(ranges: list[Dependency], theirs: Nevra) -> bool:
    return any(d.name == theirs.name and d.covers(theirs.evr) for d in ranges)


PREAMBLE = "the preamble of the RPM spec's template"

RULES = (
    Rule("repository.name", "the package is published under this name", f"Name in {PREAMBLE}", _name),
    Rule(
        "repository.arch",
        "published packages of its name are for its machines",
        "rpmbuild --target, or name the repository of this architecture",
        _arch,
    ),
    Rule("repository.republished", "a full name stands for the same bytes for ever", RELEASE, _republished),
    Rule("repository.epoch", "the epoch is not less than the published one", f"Epoch in {PREAMBLE}", _epoch),
    Rule("repository.upgrade", "the package is not older than what is published", RELEASE, _upgrade),
    Rule(
        "repository.obsoleted",
        "no published package obsoletes it",
        "raise Version above what is obsoleted, or publish the other package without that Obsoletes",
        _obsoleted,
    ),
    Rule(
        "repository.replaces",
        "it replaces the published packages whose place it takes",
        "Obsoletes: NAME < VERSION in the sub-package's part of the RPM spec's template",
        _replaces,
    ),
)
"""Each tells nothing when no repository was named."""
