"""Rules on the package's form: lead, signature header, digests, and format version."""

from __future__ import annotations

from collections.abc import Iterator

from hamkit.prove.rpm.scan import PAYLOAD_DIGESTS
from hamkit.prove.rpm.subject import Outcome, Rule, Subject, equal, none_of
from hamkit.rpmfiles.header import Header
from hamkit.rpmfiles.tags import SIG_KINDS, SINGLE, TAG_KINDS, Kind, Sig, Tag, tag_name

FORMAT_MACRO = "build with rpm 4.x, or in rpm 6 with macro _rpmformat 4"
REBUILD = "build the package again; it was changed after rpmbuild wrote it"
FORMAT_SINCE = {4: (4, 0), 6: (6, 0)}
"""First rpm that takes a package format whole. rpm 4.14 to 4.20 read format 6 too, with
limits that rpm's docs/manual/format_v6.md states; a distribution promises only what its rpm makes."""
LEAD_NAME = 65
MD5_BYTES = 16


def _format_version(subject: Subject) -> Outcome:
    number = subject.package.format
    since = FORMAT_SINCE.get(number)
    versions = ", ".join(str(n) for n, first in FORMAT_SINCE.items() if subject.target.has(*first))
    seen = f"package format {number}"
    if number == 6 and not subject.target.has(6):
        seen += ": no SIZE and no MD5, sizes of 64 bit, file names only in the header"
    good = since is not None and subject.target.has(*since)
    return Outcome(good, seen, f"format {versions} for {subject.target.name}")


def _lead_type(subject: Subject) -> Outcome:
    """SOURCEPACKAGE is written by some rpms only, but never into a binary package."""
    package, kinds = subject.package, {0: "binary", 1: "source"}
    wanted = "source" if package.is_source else "binary"
    seen = kinds.get(package.lead.type, f"type {package.lead.type}")
    marked = Tag.SOURCEPACKAGE in package.header
    if marked and not package.is_source:
        return Outcome(False, "SOURCEPACKAGE beside SOURCERPM", "one of them")
    return Outcome(seen == wanted, f"{seen} in the lead", f"{wanted} as in the header")


def _lead_fields(subject: Subject) -> Outcome:
    """rpm writes name and version into the lead, cut to 65 bytes, and zeros.

    Machine and system numbers are free: no rpm since 4.0 reads them.
    """
    lead, package = subject.package.lead, subject.package
    name, version, release = (package.header.string(t) for t in (Tag.NAME, Tag.VERSION, Tag.RELEASE))
    epoch = package.header.integer(Tag.EPOCH)
    spellings = [f"{name}-{version}-{release}", f"{name}-{epoch}:{version}-{release}"]
    fields = [s.encode("utf-8", "surrogateescape")[:LEAD_NAME].ljust(66, b"\0") for s in spellings]
    wrong = []
    if lead.name not in fields:
        wrong.append(f"name {lead.name.rstrip(bytes(1)).decode('utf-8', 'replace')!r}")
    if lead.major != (4 if package.format == 6 else 3) or lead.minor != 0:
        wrong.append(f"version {lead.major}.{lead.minor}")
    if any(lead.reserved):
        wrong.append("reserved bytes set")
    return none_of(wrong, f"{spellings[0]}, version 3.0 (4.0 in format 6), the rest zero", spellings[0])


def _signature_types(subject: Subject) -> Outcome:
    signature, six = subject.package.signature, subject.package.format == 6
    wrong = []
    for entry in signature.entries.values():
        name = tag_name(entry.tag, signature=True)
        wanted = SIG_KINDS.get(entry.tag)
        if wanted is None:
            wrong.append(f"{name} is unknown")
        elif entry.kind != wanted:
            wrong.append(f"{name} has the type {entry.kind.name}, not {wanted.name}")
        elif entry.kind in (Kind.INT32, Kind.INT64) and entry.count != 1:
            wrong.append(f"{name} has {entry.count} values")
    old = (Sig.SIZE, Sig.MD5, Sig.PAYLOADSIZE, Sig.RESERVEDSPACE, Sig.SHA1)
    wrong += [f"{tag_name(t, True)} in format 6" for t in old if six and t in signature]
    return none_of(wrong, "known tags of the right type", f"{len(signature.entries)} known tags")


def _required(subject: Subject) -> Iterator[int]:
    if subject.package.format == 6:
        yield from (Sig.SHA256, Sig.SHA3_256)
        return
    yield from (Sig.SIZE, Sig.MD5)
    if subject.target.has(4, 0, 3):
        yield Sig.SHA1
    if subject.target.has(4, 14):
        yield Sig.SHA256


def _signature_required(subject: Subject) -> Outcome:
    signature = subject.package.signature
    large = {Sig.SIZE: Sig.LONGSIZE}
    missing = [
        f"{tag_name(tag, True)} is missing"
        for tag in _required(subject)
        if tag not in signature and large.get(Sig(tag), tag) not in signature
    ]
    return none_of(missing, ", ".join(tag_name(t, True) for t in _required(subject)), "all of them")


def _reserved(subject: Subject) -> Outcome | None:
    signature = subject.package.signature
    space = [tag for tag in (Sig.RESERVED, Sig.RESERVEDSPACE) if tag in signature]
    if not space:
        return None
    wrong = [f"{tag_name(tag, True)} holds data" for tag in space if any(signature.blob(tag))]
    return none_of(wrong, "zeros", "zeros")


def _size(subject: Subject) -> Outcome:
    package, signature = subject.package, subject.package.signature
    if package.format == 6:
        what, seen = "payload", package.payload_size
        claimed = package.header.integer(Tag.PAYLOADSIZE)
    else:
        what, seen = "header and payload", package.size - package.header_offset
        claimed = signature.integer(Sig.LONGSIZE) or signature.integer(Sig.SIZE)
    if claimed is None:
        return Outcome(False, "the package does not state its size", "a size to hold the file against")
    return Outcome(seen == claimed, f"{seen} bytes of {what}", f"{claimed} bytes, as the package states")


def _header_digest(tag: Sig, algorithm: str) -> Rule:
    def judge(subject: Subject) -> Outcome | None:
        if tag not in subject.package.signature:
            return None
        return equal(subject.package.header.digest(algorithm), subject.package.signature.string(tag))

    name = algorithm.replace("_", "-")
    return Rule(f"digest.header-{name}", f"the header matches its {name.upper()}", REBUILD, judge)


def _md5(subject: Subject) -> Outcome | None:
    if Sig.MD5 not in subject.package.signature:
        return None
    blob = subject.package.signature.blob(Sig.MD5)
    if len(blob) != MD5_BYTES:
        return Outcome(False, f"an MD5 of {len(blob)} bytes", "16 bytes")
    return equal(subject.md5, blob.hex())


def _payload_digest(subject: Subject) -> Outcome | None:
    header, target = subject.package.header, subject.target
    wanted = {"sha256"} if target.has(4, 14) and subject.package.format == 4 else set()
    wanted |= set(PAYLOAD_DIGESTS) if subject.package.format == 6 else set()
    seen = subject.digests or {}
    wrong = [f"no {name} of the payload" for name in sorted(wanted - set(seen))]
    for name, digest in seen.items():
        if _claimed(header, PAYLOAD_DIGESTS[name][0]) != digest:
            wrong.append(f"{name} of the payload is {digest}")
    if not seen and not wrong:
        return None
    if header.integer(Tag.PAYLOADSHA256ALGO) not in (None, 8):
        wrong.append(f"payload digest algorithm {header.integer(Tag.PAYLOADSHA256ALGO)}")
    return none_of(wrong, "the digests in the header", ", ".join(sorted(seen)))


def _claimed(header: Header, tag: int) -> str:
    values = header.strings(tag)
    return values[0] if len(values) == 1 else ""


def _payload_digest_alt(subject: Subject) -> Outcome | None:
    header = subject.package.header
    wrong = [
        f"{name} of the uncompressed payload is {digest}"
        for name, digest in subject.payload.digests.items()
        if _claimed(header, PAYLOAD_DIGESTS[name][1]) != digest
    ]
    if not subject.payload.digests:
        return None
    return none_of(wrong, "the digests in the header", ", ".join(sorted(subject.payload.digests)))


def _header_types(subject: Subject) -> Outcome:
    header = subject.package.header
    wrong = []
    for entry in header.entries.values():
        wanted = TAG_KINDS.get(entry.tag)
        if wanted is not None and entry.kind != wanted:
            wrong.append(f"{tag_name(entry.tag)} has the type {entry.kind.name}, not {wanted.name}")
        elif entry.tag in SINGLE and entry.count != 1:
            wrong.append(f"{tag_name(entry.tag)} has {entry.count} values")
    return none_of(wrong, "tags of the right type", f"{len(header.entries)} tags")


CHEAP = (
    Rule("signature.size", "the file has the length that the package states", REBUILD, _size),
    Rule("signature.types", "the signature header holds what it may", REBUILD, _signature_types),
    Rule("signature.reserved", "reserved space in the signature header is empty", REBUILD, _reserved),
    _header_digest(Sig.SHA1, "sha1"),
    _header_digest(Sig.SHA256, "sha256"),
    _header_digest(Sig.SHA3_256, "sha3_256"),
    Rule("header.types", "the header's tags have their types", REBUILD, _header_types),
    Rule("lead.type", "lead and header agree on source or binary", REBUILD, _lead_type),
    Rule("lead.fields", "the lead names this package", REBUILD, _lead_fields),
)
"""Rules that look at the headers only. All must pass before the payload is looked at."""

DIGESTS = (
    Rule("digest.md5", "header and payload match their MD5", REBUILD, _md5),
    Rule("payload.digest", "the payload matches its digests", REBUILD, _payload_digest),
)
"""Rules that read the file whole, still compressed."""

DIALECT = (
    Rule("format.version", "the target's rpm takes this package format", FORMAT_MACRO, _format_version),
    Rule(
        "signature.required",
        "the signature header has what the target's rpm asks for",
        FORMAT_MACRO,
        _signature_required,
    ),
    Rule(
        "payload.digest-alt",
        "the uncompressed payload matches its digests",
        REBUILD,
        _payload_digest_alt,
        needs_payload=True,
    ),
)
