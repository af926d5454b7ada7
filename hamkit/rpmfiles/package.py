"""A package file as a whole: where its parts are, and what its header says of its files."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from hamkit.errors import UserError
from hamkit.rpmfiles.header import BadPackage, Header, Lead, read_header, read_lead
from hamkit.rpmfiles.tags import Sig, Tag

MAX_PACKAGE = 256 << 20
GHOST = 1 << 6
SPECFILE = 1 << 5
PAYLOAD_MAGIC = {
    "gzip": b"\x1f\x8b\x08",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\0",
    "lzma": b"\x5d\0\0",
    "zstd": b"\x28\xb5\x2f\xfd",
    "none": b"0707",
}


@dataclass(frozen=True)
class HeaderFile:
    """One file of the header's list. ``size`` in bytes, ``mtime`` in seconds since 1970."""

    index: int
    name: str
    size: int
    mode: int
    mtime: int
    digest: str
    link: str
    flags: int
    user: str
    group: str
    inode: tuple[int, int]
    caps: str

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_plain(self) -> bool:
        """Whether the name has no empty part, no ``.`` and no ``..``."""
        return not {"", ".", ".."} & set(self.name.removeprefix("/").split("/"))

    @property
    def in_payload(self) -> bool:
        return not self.flags & GHOST


@dataclass(frozen=True)
class Package:
    """A package whose structure holds; digests are not yet verified. Offsets in bytes."""

    path: Path
    size: int
    lead: Lead
    signature: Header
    header: Header
    header_offset: int
    payload_offset: int
    payload_start: bytes

    @property
    def payload_size(self) -> int:
        return self.size - self.payload_offset

    @property
    def is_source(self) -> bool:
        """rpm's own test: a source package names no source package that it came from."""
        return Tag.SOURCERPM not in self.header

    @property
    def format(self) -> int:
        """Major version of the package format: 4, or what RPMFORMAT says."""
        return self.header.integer(Tag.RPMFORMAT) or 4

    @property
    def compressor(self) -> str:
        """The payload's compressor; without the tag gzip, or none when the payload is bare cpio."""
        name = self.header.string(Tag.PAYLOADCOMPRESSOR)
        bare = self.payload_start.startswith(PAYLOAD_MAGIC["none"])
        return name or ("none" if bare else "gzip")

    @property
    def nvr(self) -> str:
        return "-".join(self.header.string(tag) for tag in (Tag.NAME, Tag.VERSION, Tag.RELEASE))

    @cached_property
    def files(self) -> tuple[HeaderFile, ...]:
        """The header's file list. Raises BadPackage when its arrays differ in length."""
        names = self._names()
        header, count = self.header, len(names)
        sizes = header.integers(Tag.LONGFILESIZES) or header.integers(Tag.FILESIZES)
        texts = (Tag.FILEDIGESTS, Tag.FILELINKTOS, Tag.FILEUSERNAME, Tag.FILEGROUPNAME)
        numbers = (Tag.FILEMODES, Tag.FILEMTIMES, Tag.FILEFLAGS, Tag.FILEDEVICES, Tag.FILEINODES)
        columns = [sizes, *map(header.strings, texts), *map(header.integers, numbers)]
        if any(len(column) != count for column in columns):
            raise BadPackage("header.files", f"{count} file names, but an attribute for other than {count}")
        caps = header.strings(Tag.FILECAPS) or ("",) * count
        if len(caps) != count:
            raise BadPackage("header.files", f"{count} file names, but {len(caps)} capabilities")
        rows = zip(range(count), names, *columns, caps, strict=True)
        return tuple(
            HeaderFile(i, name, size, mode, mtime, digest, link, flags, user, group, (device, inode), cap)
            for i, name, size, digest, link, user, group, mode, mtime, flags, device, inode, cap in rows
        )

    def _names(self) -> list[str]:
        header = self.header
        if Tag.BASENAMES not in header:
            return list(header.strings(Tag.OLDFILENAMES))
        folders, indexes = header.strings(Tag.DIRNAMES), header.integers(Tag.DIRINDEXES)
        bases = header.strings(Tag.BASENAMES)
        if len(indexes) != len(bases) or any(i >= len(folders) for i in indexes):
            raise BadPackage("header.files", "DIRINDEXES does not fit BASENAMES and DIRNAMES")
        return [folders[i] + base for i, base in zip(indexes, bases, strict=True)]


def read_package(path: Path) -> Package:
    """Lead and headers of a package file, held against its length.

    Raises UserError when the file cannot be read, BadPackage when it is no sound package.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # before opening: a FIFO would wait for a writer
            raise UserError(f"{path} is not a regular file", "name an RPM file")
        with path.open("rb") as stream:
            return _read(path, stream, status.st_size)
    except (OSError, ValueError) as bad:
        reason = bad.strerror if isinstance(bad, OSError) else bad
        raise UserError(f"cannot read {path}: {reason}", "name an RPM file") from bad


def _read(path: Path, stream: BinaryIO, size: int) -> Package:
    if size > MAX_PACKAGE:
        raise BadPackage("file.size", f"the file has {size} bytes: more than any package made here")
    lead = read_lead(stream)
    signature = read_header(stream, size - stream.tell(), Sig.REGION)
    pad = -stream.tell() % 8
    if stream.read(pad) != bytes(pad):
        raise BadPackage("signature.layout", "the padding behind the signature header is not zero")
    begin = stream.tell()
    header = read_header(stream, size - begin, Tag.REGION)
    offset = stream.tell()
    return Package(path, size, lead, signature, header, begin, offset, stream.read(8))
