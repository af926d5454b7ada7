"""The cpio archive inside a payload: newc (070701) and rpm's stripped form (07070X).

Source: rpm's docs/manual/format_v4.md and format_v6.md. Every field is held against the
format; no name is trusted and nothing is written.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hamkit.rpmfiles.header import BadPackage
from hamkit.rpmfiles.unpack import CHUNK, Source

RULE = "payload.archive"
NEWC, STRIPPED = b"070701", b"07070X"
TRAILER = "TRAILER!!!"
MAX_NAME = 4096
MAX_MEMBERS = 200_000
NEWC_FIELDS = 13
HEX = re.compile(rb"[0-9a-fA-F]+")


@dataclass(frozen=True)
class Member:
    """A member's head. ``index`` is the header's file in the stripped form, which has nothing else."""

    name: str
    size: int
    mode: int = 0
    uid: int = 0
    gid: int = 0
    links: int = 1
    mtime: int = 0
    inode: tuple[int, int, int] = (0, 0, 0)
    index: int | None = None

    @property
    def is_regular(self) -> bool:
        return stat.S_ISREG(self.mode)


class Archive:
    """Reads members in order; ``content`` must be used up, or is skipped, before the next."""

    def __init__(self, source: Source, stripped_size: Callable[[int], int]) -> None:
        self._source = source
        self._stripped_size = stripped_size
        self._buffer = b""
        self._at = 0
        self._place = 0
        self._left = 0
        self.form = b""

    def members(self) -> Iterator[Member]:
        """Every member up to the trailer. Raises BadPackage when the archive is not sound."""
        for _ in range(MAX_MEMBERS):
            member = self._head()
            if member is None:
                self._tail()
                return
            self._left = member.size
            yield member
            for _ in self.content():
                pass
            self._align()
        raise BadPackage(RULE, f"the archive has more than {MAX_MEMBERS} members")

    def content(self) -> Iterator[bytes]:
        """The current member's data in pieces."""
        while self._left:
            piece = self._take(min(self._left, CHUNK))
            self._left -= len(piece)
            yield piece

    def _head(self) -> Member | None:
        magic = self._take(6)
        if magic not in (NEWC, STRIPPED):
            raise BadPackage(RULE, f"a member begins with {magic!r}, not {NEWC.decode()}")
        if magic == STRIPPED:
            return self._stripped_head()
        fields = struct.unpack(f">{NEWC_FIELDS}I", self._hex(NEWC_FIELDS))
        ino, mode, uid, gid, links, mtime, size, major, minor, _, _, length, _ = fields
        if not 2 <= length <= MAX_NAME:
            raise BadPackage(RULE, f"a member's name has {length} bytes")
        raw = self._take(length)
        if raw.find(b"\0") != length - 1:
            raise BadPackage(RULE, f"a member's name does not end where it should: {raw[:60]!r}")
        self._align()
        name = raw[:-1].decode("utf-8", "surrogateescape")
        if name == TRAILER:
            return None
        self._one_form(NEWC)
        return Member(name, size, mode, uid, gid, links, mtime, (major, minor, ino))

    def _stripped_head(self) -> Member:
        self._one_form(STRIPPED)
        index = int.from_bytes(self._hex(1), "big")
        self._align()
        return Member("", self._stripped_size(index), index=index)

    def _one_form(self, form: bytes) -> None:
        if self.form not in (b"", form):
            raise BadPackage(RULE, "the archive mixes two forms of cpio")
        self.form = form

    def _tail(self) -> None:
        rest = self._buffer[self._at :]
        while rest:
            if any(rest):
                raise BadPackage(RULE, "bytes follow the archive's trailer")
            rest = self._source.read(CHUNK)

    def _hex(self, count: int) -> bytes:
        """The bytes of ``count`` numbers of 8 hex digits each."""
        raw = self._take(8 * count)
        if not HEX.fullmatch(raw):
            raise BadPackage(RULE, f"a member's head holds {raw[:60]!r}, not hex digits")
        return bytes.fromhex(raw.decode())

    def _align(self) -> None:
        if any(self._take(-self._place % 4)):
            raise BadPackage(RULE, "the padding behind a member is not zero")

    def _take(self, size: int) -> bytes:
        """The next ``size`` bytes; a name or a chunk of data at most, so that they may be joined."""
        while len(self._buffer) - self._at < size:
            more = self._source.read(CHUNK)
            if not more:
                raise BadPackage(RULE, "the archive ends before its trailer")
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        self._at += size
        self._place += size
        return self._buffer[self._at - size : self._at]
