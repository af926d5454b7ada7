"""Compressed data, a package's payload above all, as a stream within limits that a bomb cannot pass."""

from __future__ import annotations

import bz2
import lzma
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol, cast

from hamkit.errors import MissingNeed
from hamkit.rpmfiles.header import BadPackage
from hamkit.rpmfiles.package import PAYLOAD_MAGIC, Package
from hamkit.rpmfiles.tags import Sig, Tag
from hamkit.run import SYSTEM_PATH, spawn

RULE = "payload.unpack"
CHUNK = 1 << 16
ALWAYS_ALLOWED = 32 << 20  # bytes that any payload may unpack to
MAX_RATIO = 20  # beyond that, how many times its own size
MAX_UNPACKED = 1 << 30  # and never more bytes than this
MEMORY = 80 << 20  # bytes that the decompressor may take: xz -9 needs 65 MiB


class Source(Protocol):
    """What hands out bytes: empty at the end."""

    def read(self, size: int, /) -> bytes: ...


class _Zlib:
    """zlib's decompressor with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.eof and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


_Decompressor = _Zlib | bz2.BZ2Decompressor | lzma.LZMADecompressor


class _Stream:
    """One compressed stream, and nothing behind it."""

    def __init__(self, raw: Source, decompressor: _Decompressor) -> None:
        self._raw, self._inner = raw, decompressor

    def read(self, size: int, /) -> bytes:
        while not self._inner.eof:
            data = self._raw.read(CHUNK) if self._inner.needs_input else b""
            if self._inner.needs_input and not data:
                raise BadPackage(RULE, "the compressed data end before their end mark")
            try:
                out = self._inner.decompress(data, size)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError, MemoryError) as bad:
                raise BadPackage(RULE, f"the compressed data are broken: {bad}") from bad
            if out:
                return out
        if self._inner.unused_data or self._raw.read(1):
            raise BadPackage(RULE, "bytes follow the end of the compressed data")
        return b""


class Bounded:
    """A source that refuses to give more than ``limit`` bytes; ``given`` counts them."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source, self._limit, self.given = source, limit, 0

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.given += len(data)
        if self.given > self._limit:
            raise BadPackage(RULE, f"the data unpack to more than the {self._limit} bytes they may have")
        return data


def declared_size(package: Package) -> int | None:
    """Bytes of the uncompressed payload as the package says, None when it does not."""
    signature = package.signature
    found = signature.integer(Sig.LONGARCHIVESIZE) or signature.integer(Sig.PAYLOADSIZE)
    return package.header.integer(Tag.PAYLOADSIZEALT) or found


def limit_of(package: Package) -> int:
    """The most bytes that the payload may unpack to: what it declares, within sane bounds."""
    sane = min(max(ALWAYS_ALLOWED, MAX_RATIO * package.payload_size), MAX_UNPACKED)
    declared = declared_size(package)
    if declared is not None and declared > sane:
        raise BadPackage(
            RULE, f"{package.payload_size} bytes of payload claim to unpack to {declared}: more than {sane}"
        )
    return sane if declared is None else declared


@contextmanager
def open_payload(package: Package) -> Iterator[Bounded]:
    """The uncompressed payload as a bounded source.

    Raises BadPackage (unknown compressor, other magic, broken or oversized data) and
    MissingNeed (zstd is not installed).
    """
    name = package.compressor
    if name not in PAYLOAD_MAGIC:
        raise BadPackage("payload.compressor", f"the payload's compressor {name!r} is unknown")
    magic = PAYLOAD_MAGIC[name]
    if package.payload_start[: len(magic)] != magic:
        seen = package.payload_start[: len(magic)].hex()
        raise BadPackage(
            "payload.magic", f"the payload is called {name}, but begins with {seen or 'nothing'}"
        )
    limit = limit_of(package)
    with package.path.open("rb", buffering=0) as stream:
        stream.seek(package.payload_offset)
        with uncompressed(cast(BinaryIO, stream), name, limit) as source:
            yield source


@contextmanager
def uncompressed(raw: BinaryIO, name: str, limit: int) -> Iterator[Bounded]:
    """What follows in an unbuffered file, uncompressed: ``name`` as in PAYLOAD_MAGIC, ``limit`` in bytes.

    Raises BadPackage (broken data, more than the limit) and MissingNeed (zstd is not installed).
    """
    if name == "zstd":
        with _zstd(raw) as source:
            yield Bounded(source, limit)
    else:
        yield Bounded(raw if name == "none" else _Stream(raw, _decompressor(name)), limit)


def _decompressor(name: str) -> _Decompressor:
    if name == "gzip":
        return _Zlib()
    if name == "bzip2":
        return bz2.BZ2Decompressor()
    form = lzma.FORMAT_XZ if name == "xz" else lzma.FORMAT_ALONE
    return lzma.LZMADecompressor(form, memlimit=MEMORY)


@contextmanager
def _zstd(raw: BinaryIO) -> Iterator[Source]:
    """zstd by its program, which reads the file itself from where ``raw`` stands."""
    if shutil.which("zstd", path=SYSTEM_PATH) is None:
        raise MissingNeed("data compressed by zstd cannot be read here", "apt-get install zstd")
    argv = ["zstd", "-dcq", f"--memory={MEMORY >> 20}MB"]
    with spawn(argv, stdin=raw.fileno(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield _ZstdProgram(process)
        finally:
            if process.stdout:
                process.stdout.close()


class _ZstdProgram:
    """The output of ``zstd -dc``; its status tells whether the stream was whole."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def read(self, size: int, /) -> bytes:
        stdout = self._process.stdout
        data = stdout.read(size) if stdout else b""
        if not data and self._process.wait() != 0:
            raise BadPackage(RULE, "the compressed data are broken: zstd refused them")
        return data
