"""Reads a payload once, whole: what is in it, with the digests of all and of each file."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass

from hamkit.rpmfiles import BadPackage, Package
from hamkit.rpmfiles.cpio import STRIPPED, Archive, Member
from hamkit.rpmfiles.extract import FileIndex
from hamkit.rpmfiles.package import SPECFILE, HeaderFile
from hamkit.rpmfiles.tags import DIGEST_NAMES, Tag
from hamkit.rpmfiles.unpack import Source, open_payload

MAX_TEXT = 1 << 20
PAYLOAD_DIGESTS = {
    "sha256": (Tag.PAYLOADSHA256, Tag.PAYLOADSHA256ALT),
    "sha512": (Tag.PAYLOADSHA512, Tag.PAYLOADSHA512ALT),
    "sha3_256": (Tag.PAYLOADSHA3_256, Tag.PAYLOADSHA3_256ALT),
}
"""Algorithm to the tags of the compressed and of the uncompressed payload's digest."""
CHUNK = 1 << 18


@dataclass(frozen=True)
class SeenFile:
    """A member of the archive beside its entry in the header. ``digest`` is empty when another name of
    the same inode holds the data."""

    file: HeaderFile
    member: Member
    digest: str
    link: str


@dataclass(frozen=True)
class Scan:
    """A payload that was read to its end. ``size`` in bytes, uncompressed."""

    stripped: bool
    size: int
    digests: dict[str, str]
    members: tuple[SeenFile, ...]
    linked_digests: dict[tuple[int, int], str]
    linked_sets: Counter[tuple[int, int]]
    spec_text: str


class _Hashed:
    """A source that hashes what passes."""

    def __init__(self, source: Source, algorithms: list[str]) -> None:
        self._source = source
        self.hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        for each in self.hashes.values():
            each.update(data)
        return data


def compressed_digests(package: Package) -> tuple[str, dict[str, str]]:
    """MD5 over header and payload, and the payload's digests for which the header has a tag (hex)."""
    whole = hashlib.md5(package.header.raw, usedforsecurity=False)
    parts = {name: hashlib.new(name) for name, tags in PAYLOAD_DIGESTS.items() if tags[0] in package.header}
    with package.path.open("rb") as stream:
        stream.seek(package.payload_offset)
        while chunk := stream.read(CHUNK):
            whole.update(chunk)
            for each in parts.values():
                each.update(chunk)
    return whole.hexdigest(), {name: each.hexdigest() for name, each in parts.items()}


def scan(package: Package) -> Scan:
    """Unpack and judge form, not policy. Raises BadPackage and MissingNeed as open_payload does."""
    number = package.header.integer(Tag.FILEDIGESTALGO) or 1
    if number not in DIGEST_NAMES:
        raise BadPackage("files.digest-algorithm", f"file digest algorithm {number} is unknown")
    index = FileIndex(package)
    wanted = [name for name, tags in PAYLOAD_DIGESTS.items() if tags[1] in package.header]
    found: list[SeenFile] = []
    texts: list[str] = []
    sets: Counter[tuple[int, int]] = Counter()
    with open_payload(package) as bounded:
        source = _Hashed(bounded, wanted)
        archive = Archive(source, index.stripped_size(Counter()))
        for member in archive.members():
            file = index.find(member)
            digest, kept = _read_member(archive, file, DIGEST_NAMES[number])
            link = kept.decode("utf-8", "surrogateescape") if not file.is_regular else ""
            if file.flags & SPECFILE:
                texts.append(kept.decode("utf-8", "replace"))
            if file.is_regular:
                sets[file.inode] += 1
            found.append(SeenFile(file, member, digest if member.size or not file.size else "", link))
    linked = {seen.file.inode: seen.digest for seen in found if seen.digest and seen.file.is_regular}
    digests = {name: each.hexdigest() for name, each in source.hashes.items()}
    return Scan(
        archive.form == STRIPPED, bounded.given, digests, tuple(found), linked, sets, "\n".join(texts)
    )


def _read_member(archive: Archive, file: HeaderFile, algorithm: str) -> tuple[str, bytes]:
    """The digest of a member's data, and the data itself where it is looked at (links, the spec)."""
    total = hashlib.new(algorithm, usedforsecurity=False)
    keep = not file.is_regular or bool(file.flags & SPECFILE)
    kept = bytearray()
    for piece in archive.content():
        total.update(piece)
        if keep and len(kept) < MAX_TEXT:
            kept += piece
    return total.hexdigest(), bytes(kept)
