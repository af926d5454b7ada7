"""Rules on the payload and on what the target's rpm must know to use the package."""

from __future__ import annotations

from hamkit.prove.rpm.dependency import (
    CONFLICTS,
    OBSOLETES,
    PROVIDES,
    REQUIRES,
    dependencies,
)
from hamkit.prove.rpm.evr import Evr
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, none_of
from hamkit.rpmfiles.package import PAYLOAD_MAGIC
from hamkit.rpmfiles.tags import DIGEST_NAMES, Kind, Tag, tag_name
from hamkit.rpmfiles.unpack import declared_size
from hamkit.rpmhistory import FEATURES

WEAK = frozenset({"md5", "sha1"})
LATER_TAGS = (
    (range(1151, 1155), (4, 4), "%pretrans, %posttrans"),
    (range(5046, 5058), (4, 12), "Recommends, Suggests, Supplements, Enhances"),
    (range(5063, 5090), (4, 13), "file triggers"),
    (range(5103, 5109), (4, 19), "%preuntrans, %postuntrans"),
)
"""Tags that an older rpm ignores without a word although they change what the package does."""


def _compressor(subject: Subject) -> Outcome:
    name = subject.package.compressor
    known = ", ".join(sorted(subject.target.compressors))
    return Outcome(name in subject.target.compressors, name, f"one of {known} for {subject.target.name}")


def _magic(subject: Subject) -> Outcome | None:
    package = subject.package
    magic = PAYLOAD_MAGIC.get(package.compressor)
    if magic is None:
        return None
    begin = package.payload_start[: len(magic)]
    return Outcome(begin == magic, begin.hex() or "nothing", f"{magic.hex()} ({package.compressor})")


def _format(subject: Subject) -> Outcome:
    name = subject.package.header.string(Tag.PAYLOADFORMAT) or "absent"
    return Outcome(name == "cpio", name, "cpio")


def _archive_form(subject: Subject) -> Outcome:
    if not subject.payload.stripped:
        return Outcome(True, "cpio 070701", "cpio 070701")
    return Outcome(subject.target.has(4, 12), "stripped cpio 07070X", f"a form {subject.target.name} reads")


def _payload_size(subject: Subject) -> Outcome | None:
    declared = declared_size(subject.package)
    if declared is None:
        return None
    return Outcome(subject.payload.size == declared, f"{subject.payload.size} bytes", f"{declared} bytes")


def _file_digest_algorithm(subject: Subject) -> Outcome:
    number = subject.package.header.integer(Tag.FILEDIGESTALGO) or 1
    name = DIGEST_NAMES.get(number, f"algorithm {number}")
    known = ", ".join(sorted(subject.target.digests))
    return Outcome(name in subject.target.digests, name, f"one of {known} for {subject.target.name}")


def _fips(subject: Subject) -> Outcome | None:
    """In FIPS mode OpenSSL refuses MD5 and SHA-1, and rpm then takes every file for damaged."""
    if not subject.request.spec.rpm.fips:
        return None
    number = subject.package.header.integer(Tag.FILEDIGESTALGO) or 1
    name = DIGEST_NAMES.get(number, f"algorithm {number}")
    weak = f"{name}: a machine in FIPS mode ends with 'Digest mismatch'"
    return Outcome(name not in WEAK, weak if name in WEAK else name, "a file digest of the SHA-2 family")


def _rpmlib(subject: Subject) -> Outcome:
    wrong = []
    seen = 0
    for needed in dependencies(subject.package, REQUIRES):
        name = needed.name
        if not (name.startswith("rpmlib(") and name.endswith(")")):
            continue
        seen += 1
        feature = name[len("rpmlib(") : -1]
        if feature not in subject.target.rpmlib:
            wrong.append(f"{name} is unknown")
        elif feature in FEATURES and not needed.covers(Evr.parse(FEATURES[feature].provided)):
            wrong.append(f"{name} of version {needed.version} is unknown")
    return none_of(wrong, f"features of {subject.target.name}", f"{seen} features, all known")


def _dependencies(subject: Subject) -> Outcome:
    """Whole lists, and no rich dependency or mark in a version that an older rpm takes for plain text."""
    header, known = subject.package.header, subject.target.rpmlib
    wrong = []
    for names, flags, versions in (REQUIRES, PROVIDES, CONFLICTS, OBSOLETES):
        columns = header.strings(names), header.integers(flags), header.strings(versions)
        if len({len(column) for column in columns}) != 1 or "" in columns[0]:
            wrong.append(f"{names.name}: {len(columns[0])} names with gaps")
        if "RichDependencies" not in known:
            wrong += [f"rich dependency {n}" for n in header.strings(names) if n.startswith("(")]
        for mark, feature in (("~", "TildeInVersions"), ("^", "CaretInVersions")):
            if feature not in known:
                wrong += [f"{mark} in version {v}" for v in header.strings(versions) if mark in v]
    return none_of(wrong, f"dependencies that {subject.target.name} understands", "understood")


def _later_tags(subject: Subject) -> Outcome:
    header, target = subject.package.header, subject.target
    wrong = [
        f"{what} ({tag_name(tag)}) needs rpm {'.'.join(map(str, since))}"
        for tags, since, what in LATER_TAGS
        for tag in tags
        if tag in header and not target.has(*since)
    ]
    if not target.has(4, 6):
        entries = (*header.entries.values(), *subject.package.signature.entries.values())
        wide = [e for e in entries if e.kind == Kind.INT64]
        wrong += [f"{tag_name(e.tag)} is a 64-bit number: needs rpm 4.6" for e in wide]
    return none_of(wrong, f"tags that {target.name} acts on", "none of the later ones")


COMPRESSOR = "macro _source_payload (spec field rpm.source_payload) or _binary_payload"
DIGEST = "macro _source_filedigest_algorithm (spec field rpm.file_digest) or _binary_filedigest_algorithm"
RPMLIB = "spec fields rpm.rpmlib, rpm.source_payload and rpm.file_digest"

RULES = (
    Rule("payload.compressor", "the target's rpm knows the payload's compressor", COMPRESSOR, _compressor),
    Rule("payload.magic", "the payload is what its compressor's name says", COMPRESSOR, _magic),
    Rule("payload.format", "the payload is a cpio archive", "build with rpmbuild", _format),
    Rule(
        "payload.archive-form",
        "the target's rpm reads this form of cpio",
        "no file of 4 GiB; macro _rpmformat 4",
        _archive_form,
        needs_payload=True,
    ),
    Rule(
        "payload.size",
        "the payload unpacks to the size stated",
        "build the package again",
        _payload_size,
        needs_payload=True,
    ),
    Rule("files.digest-algorithm", "the target's rpm knows the file digests", DIGEST, _file_digest_algorithm),
    Rule(
        "files.digest-fips",
        "a machine in FIPS mode takes the file digests",
        f"{DIGEST}; one source RPM cannot suit FIPS mode and rpm 4.1 to 4.4: build one for each",
        _fips,
    ),
    Rule("depends.rpmlib", "the target's rpm has every rpmlib() feature asked for", RPMLIB, _rpmlib),
    Rule(
        "depends.syntax",
        "the target's rpm understands the dependencies",
        "dependencies in the RPM spec's template",
        _dependencies,
    ),
    Rule(
        "header.dialect",
        "the header has no tag that the target's rpm lacks",
        "the RPM spec's template (spec field rpm.spec_dialect)",
        _later_tags,
    ),
)
