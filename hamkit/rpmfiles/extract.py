"""Takes files out of a package, having verified them against its header."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from hamkit.rpmfiles.cpio import Archive, Member
from hamkit.rpmfiles.header import BadPackage
from hamkit.rpmfiles.package import HeaderFile, Package, read_package
from hamkit.rpmfiles.tags import DIGEST_NAMES, Sig, Tag
from hamkit.rpmfiles.unpack import open_payload

RULE = "files.list"
MAX_EXTRACTED = 512 << 20


class FileIndex:
    """Finds the header's file for an archive member, and how much data the stripped form holds for it."""

    def __init__(self, package: Package) -> None:
        self.files = package.files
        self._by_name = {archive_name(file.name, package.is_source): file for file in self.files}
        self._links = Counter(f.inode for f in self.files if f.is_regular and f.in_payload)

    def find(self, member: Member) -> HeaderFile:
        """Raises BadPackage when the header does not list the member."""
        if member.index is not None:
            return self._at(member.index)
        file = self._by_name.get(member.name)
        if file is None:
            raise BadPackage(RULE, f"the payload holds {member.name!r}, which the header does not list")
        return file

    def linked(self, file: HeaderFile) -> int:
        """How many names of the payload share this file's inode."""
        return self._links[file.inode] if file.is_regular else 1

    def stripped_size(self, seen: Counter[tuple[int, int]]) -> Callable[[int], int]:
        """Sizes for the stripped form, where the last name of a hard-linked set holds the data."""

        def size_of(index: int) -> int:
            file = self._at(index)
            if not file.is_regular:
                return file.size if file.link else 0
            seen[file.inode] += 1
            return file.size if seen[file.inode] == self.linked(file) else 0

        return size_of

    def _at(self, index: int) -> HeaderFile:
        if index >= len(self.files):
            raise BadPackage(RULE, f"the payload names file {index} of {len(self.files)}")
        return self.files[index]


def archive_name(name: str, is_source: bool) -> str:
    """A header's file name as the archive spells it: binary packages put ``.`` before the path."""
    return name if is_source else f".{name}"


def extract_rpm(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Content of the regular files for whose name ``wanted`` holds, by name as the header has it.

    Names are absolute for binary packages and plain for source packages, never with
    ``..``. The header is verified against the signature header's digests, every content
    against the header's. Raises UserError (unreadable), BadPackage (not sound, or more
    than 512 MiB asked for), MissingNeed (no zstd here).
    """
    package = read_package(path)
    _verify_header(package)
    index = FileIndex(package)
    chosen = {f.name for f in index.files if f.is_regular and f.in_payload and wanted(f.name)}
    strange = [f.name for f in index.files if f.name in chosen and not f.is_plain]
    if strange:
        raise BadPackage("files.paths", f"{strange[0]!r} is not a plain path")
    if sum(f.size for f in index.files if f.name in chosen) > MAX_EXTRACTED:
        raise BadPackage(RULE, f"more than {MAX_EXTRACTED} bytes of files were asked for")
    by_inode: dict[tuple[int, int], bytes] = {}
    inodes = {f.inode for f in index.files if f.name in chosen}
    with open_payload(package) as source:
        archive = Archive(source, index.stripped_size(Counter()))
        for member in archive.members():
            file = index.find(member)
            if file.inode in inodes and file.is_regular and (member.size or file.inode not in by_inode):
                by_inode[file.inode] = b"".join(archive.content())
    return {f.name: _verified(package, f, by_inode) for f in index.files if f.name in chosen}


def _verify_header(package: Package) -> None:
    for tag, algorithm in ((Sig.SHA256, "sha256"), (Sig.SHA1, "sha1")):
        digest = hashlib.new(algorithm, package.header.raw, usedforsecurity=False).hexdigest()
        if tag in package.signature and package.signature.string(tag) != digest:
            raise BadPackage(f"digest.header-{algorithm}", f"the header does not match its {tag.name}")


def _verified(package: Package, file: HeaderFile, by_inode: dict[tuple[int, int], bytes]) -> bytes:
    number = package.header.integer(Tag.FILEDIGESTALGO) or 1
    if number not in DIGEST_NAMES:
        raise BadPackage("files.digest-algorithm", f"file digest algorithm {number} is unknown")
    content = by_inode.get(file.inode)
    if content is None:
        raise BadPackage(RULE, f"the payload lacks {file.name!r}")
    if hashlib.new(DIGEST_NAMES[number], content, usedforsecurity=False).hexdigest() != file.digest:
        raise BadPackage("files.digests", f"{file.name!r} does not match its digest")
    return content
