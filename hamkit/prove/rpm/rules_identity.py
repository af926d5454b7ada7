"""Rules on what the package says it is: name, version, architecture, sources, and who reads it."""

from __future__ import annotations

from collections.abc import Iterator

import rpmfile
from rpmfile.errors import RPMError

from hamkit.prove.rpm.evr import ARCHES, NAME, VERSION
from hamkit.prove.rpm.findings import shown
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of
from hamkit.rpmfiles import Package
from hamkit.rpmfiles.package import SPECFILE
from hamkit.rpmfiles.tags import Tag

MAX_LENGTH = 128
SECOND_READER_WORK = 1 << 28
"""Bytes that rpmfile may copy: it copies the header's data once for each entry."""


def _name(subject: Subject) -> Outcome:
    header = subject.package.header
    wrong = []
    for tag, pattern in ((Tag.NAME, NAME), (Tag.VERSION, VERSION), (Tag.RELEASE, VERSION)):
        text = header.string(tag)
        if not pattern.fullmatch(text) or len(text) > MAX_LENGTH:
            wrong.append(f"{tag.name} {shown(text, 40) or 'absent'}")
    text = header.string(Tag.VERSION) + header.string(Tag.RELEASE)
    for mark, feature in (("~", "TildeInVersions"), ("^", "CaretInVersions")):
        if mark in text and feature not in subject.target.rpmlib:
            wrong.append(f"{mark} sorts as plain text in {subject.target.name}")
    return none_of(wrong, "a name, version and release of rpm's characters", subject.package.nvr)


def _texts(subject: Subject) -> Outcome:
    header = subject.package.header
    wrong = []
    for tag in (Tag.LICENSE, Tag.SUMMARY):
        text = header.string(tag)
        if not text.strip() or not text.isprintable():
            wrong.append(f"{tag.name} {shown(text, 40) or 'absent'}")
    if not subject.target.has(4, 6) and header.string(Tag.GROUP) in ("", "Unspecified"):
        wrong.append("GROUP absent, which rpm before 4.6 needs")
    wanted = "License and Summary, one line each" + ("" if subject.target.has(4, 6) else ", and Group")
    return none_of(wrong, wanted, header.string(Tag.LICENSE))


def _arch(subject: Subject) -> Outcome:
    package, fits = subject.package, subject.target.architectures
    header, arch = package.header, package.header.string(Tag.ARCH)
    system = header.string(Tag.OS)
    if not package.is_source:
        wanted = f"linux on {', '.join(sorted(fits))}"
        return Outcome(arch in fits and system == "linux", f"{system} on {arch}", wanted)
    machines = fits - {"noarch"}
    exclusive, excluded = header.strings(Tag.EXCLUSIVEARCH), set(header.strings(Tag.EXCLUDEARCH))
    buildable = machines - excluded if not exclusive else (fits & set(exclusive)) - excluded
    seen = f"{system} source from {arch}, for {', '.join(exclusive) or 'any'}"
    good = arch in ARCHES and bool(buildable) and system == "linux"
    return Outcome(good, seen, f"a linux source that builds on one of {', '.join(sorted(fits))}")


def _spec_file(subject: Subject) -> Outcome | None:
    if not subject.package.is_source:
        return None
    specs = [f.name for f in subject.package.files if f.flags & SPECFILE]
    good = len(specs) == 1 and specs[0].endswith(".spec") and subject.package.files != ()
    return Outcome(good, ", ".join(specs) or "none", "exactly one spec file")


def _sources(subject: Subject) -> Outcome | None:
    package = subject.package
    if not package.is_source:
        return None
    header, present = package.header, {f.name for f in package.files}
    named = [*header.strings(Tag.SOURCE), *header.strings(Tag.PATCH)]
    wrong = [f"{n} is missing" for n in named if n.rsplit("/", 1)[-1] not in present]
    if subject.ours and not header.strings(Tag.SOURCE):
        wrong.append("no Source0")
    wrong += [f"{t.name} leaves files out" for t in (Tag.NOSOURCE, Tag.NOPATCH) if t in header]
    return none_of(wrong, "every source and patch inside", f"{len(named)} sources and patches")


def _second_reader(subject: Subject) -> Outcome:
    """rpmfile, a reader that is not ours, must see the same package."""
    package = subject.package
    if len(package.header.entries) * len(package.header.raw) > SECOND_READER_WORK:
        return Outcome(None, "the header is too large for rpmfile", "the same seen by rpmfile")
    wrong = list(_disagreements(package))
    return none_of(wrong, "the same seen by rpmfile", package.nvr)


def _disagreements(package: Package) -> Iterator[str]:
    try:
        with rpmfile.open(str(package.path)) as other:
            headers, offset = other.headers, other.data_offset
    except (RPMError, AssertionError, ValueError, LookupError, TypeError) as bad:
        yield f"rpmfile cannot read it: {type(bad).__name__}"
        return
    if offset != package.payload_offset:
        yield f"the payload at {offset}, not {package.payload_offset}"
    for key, tag in (("name", Tag.NAME), ("version", Tag.VERSION), ("release", Tag.RELEASE)):
        theirs = headers.get(key, b"")
        if theirs != package.header.string(tag).encode("utf-8", "surrogateescape"):
            yield f"{key} {theirs!r}"
    bases = headers.get("basenames", [])
    ours = [b.encode("utf-8", "surrogateescape") for b in package.header.strings(Tag.BASENAMES)]
    if list(bases) != ours:
        yield f"{len(bases)} file names, not {len(ours)}"


PREAMBLE = "the preamble of the RPM spec's template"

RULES = (
    Rule("package.name", "name, version and release are sane", PREAMBLE, _name),
    Rule("package.texts", "licence and summary are there", PREAMBLE, _texts),
    Rule(
        "package.arch",
        "the package fits the distribution's machines",
        "rpmbuild --target, or ExclusiveArch in the RPM spec's template (spec field distribution.line)",
        _arch,
    ),
    Rule("source.spec", "the source package holds its spec", "build with rpmbuild -bs", _spec_file),
    Rule(
        "source.sources", "the source package holds every source", "SourceN and PatchN, no NoSource", _sources
    ),
    Rule(
        "reader.rpmfile", "a second reader sees the same package", "build the package again", _second_reader
    ),
)
