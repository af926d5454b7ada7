"""Writes RPM packages byte by byte, so that a test can build what rpmbuild never would.

Digests, sizes and regions are made to fit whatever the test asked for: a package that
lies is refused for its lie, not for a broken checksum.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import stat
import struct
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hamkit.rpmfiles.tags import SIG_KINDS, TAG_KINDS, WIDTH, Kind, Sig, Tag

BUILD_TIME = 1_700_000_000
HEADER_MAGIC = bytes.fromhex("8eade80100000000")
FORMATS = {Kind.CHAR: "B", Kind.INT8: "B", Kind.INT16: "H", Kind.INT32: "I", Kind.INT64: "Q"}
Values = Sequence[int] | Sequence[str] | bytes
Entries = dict[int, tuple[int, Values]]


@dataclass(frozen=True)
class File:
    """A file of the package to write. ``data`` is the target of a symbolic link."""

    name: str
    data: bytes = b""
    mode: int = 0o100644
    flags: int = 0
    user: str = "root"
    group: str = "root"
    inode: int = 0
    mtime: int = BUILD_TIME
    size: int | None = None
    digest: str | None = None


SOURCE_FILES = (
    File("ham-1.0.tar.gz", b"not really a tarball\n"),
    File("ham.spec", b"Name: ham\nVersion: 1.0\nRelease: 1\n", flags=1 << 5),
)
BINARY_FILES = (
    File("/usr/share/doc/ham", mode=0o040755),
    File("/usr/share/doc/ham/README", b"read me\n"),
    File("/usr/share/doc/ham/LIESMICH", b"README", mode=0o120777),
)


@dataclass(frozen=True)
class Recipe:
    """What to write. ``tags`` and ``signature`` override entries: (type, values), or None to leave out."""

    source: bool = True
    files: tuple[File, ...] = SOURCE_FILES
    form: int = 4
    compressor: str = "gzip"
    digest: int = 8
    tags: Mapping[int, tuple[int, Values] | None] = field(default_factory=dict)
    signature: Mapping[int, tuple[int, Values] | None] = field(default_factory=dict)
    lead: bytes | None = None
    archive: Callable[[bytes], bytes] = bytes
    packed: Callable[[bytes], bytes] = bytes


HASHES = {1: "md5", 2: "sha1", 8: "sha256", 9: "sha384", 10: "sha512"}
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "zstd": lambda data: subprocess.run(["zstd", "-qc"], input=data, capture_output=True, check=True).stdout,
}


def write(recipe: Recipe) -> bytes:
    """The package as bytes."""
    archive = recipe.archive(_archive(recipe))
    packed = recipe.packed(COMPRESS[recipe.compressor](archive))
    entries = _main_entries(recipe, archive, packed)
    entries.update({tag: value for tag, value in recipe.tags.items() if value is not None})
    for tag in [t for t, value in recipe.tags.items() if value is None]:
        entries.pop(tag, None)
    header = structure(63, entries)
    signature = structure(62, _signature_entries(recipe, header, archive, packed))
    signature += bytes(-len(signature) % 8)
    return (recipe.lead or _lead(recipe, entries)) + signature + header + packed


def structure(region: int, entries: Entries) -> bytes:
    """A header structure: magic, index, data, with its region around all."""
    index, data = bytearray(), bytearray()
    for tag, (kind, values) in sorted(entries.items()):
        data += bytes(-len(data) % WIDTH.get(Kind(kind), 1)) if kind in FORMATS else b""
        index += struct.pack(">IIII", tag, kind, len(data), len(values))
        data += _encode(Kind(kind), values)
    size = len(index) + 16
    trailer = struct.pack(">IIiI", region, Kind.BIN, -size, 16)
    first = struct.pack(">IIiI", region, Kind.BIN, len(data), 16)
    return HEADER_MAGIC + struct.pack(">II", size // 16, len(data) + 16) + first + index + data + trailer


def _encode(kind: Kind, values: Values) -> bytes:
    if isinstance(values, bytes):
        return values
    if kind in FORMATS:
        return struct.pack(f">{len(values)}{FORMATS[kind]}", *values)
    return b"".join(str(v).encode("utf-8", "surrogateescape") + b"\0" for v in values)


def _lead(recipe: Recipe, entries: Entries) -> bytes:
    nvr = "-".join(str(entries[tag][1][0]) for tag in (Tag.NAME, Tag.VERSION, Tag.RELEASE))
    major = 4 if recipe.form == 6 else 3
    head = b"\xed\xab\xee\xdb" + struct.pack(">BBHH", major, 0, int(recipe.source), 1)
    return head + nvr.encode()[:65].ljust(66, b"\0") + struct.pack(">HH16x", 1, 5)


def _file_digest(recipe: Recipe, file: File) -> str:
    if file.digest is not None:
        return file.digest
    if not stat.S_ISREG(file.mode):
        return ""
    return hashlib.new(HASHES.get(recipe.digest, "sha256"), file.data).hexdigest()


def _size(file: File) -> int:
    return len(file.data) if file.size is None else file.size


def _main_entries(recipe: Recipe, archive: bytes, packed: bytes) -> Entries:
    one: dict[int, Sequence[int] | Sequence[str]] = {
        Tag.I18NTABLE: ["C"],
        Tag.NAME: ["ham"],
        Tag.VERSION: ["1.0"],
        Tag.RELEASE: ["1"],
        Tag.SUMMARY: ["Hot-add memory"],
        Tag.BUILDTIME: [BUILD_TIME],
        Tag.BUILDHOST: ["localhost"],
        Tag.LICENSE: ["GPL"],
        Tag.GROUP: ["System Environment/Kernel"],
        Tag.OS: ["linux"],
        Tag.ARCH: ["x86_64"],
        Tag.RPMVERSION: ["4.18.0"],
        Tag.CHANGELOGTIME: [BUILD_TIME],
        Tag.COOKIE: [f"localhost {BUILD_TIME}"],
        Tag.PAYLOADFORMAT: ["cpio"],
        Tag.PAYLOADFLAGS: ["9"],
        Tag.PAYLOADSHA256: [hashlib.sha256(packed).hexdigest()],
        Tag.PAYLOADSHA256ALT: [hashlib.sha256(archive).hexdigest()],
    }
    one |= _requires(recipe) | _file_columns(recipe)
    if recipe.compressor != "none":
        one[Tag.PAYLOADCOMPRESSOR] = [recipe.compressor]
    if recipe.digest != 1:
        one[Tag.FILEDIGESTALGO] = [recipe.digest]
    one |= {Tag.SOURCE: ["ham-1.0.tar.gz"]} if recipe.source else {Tag.SOURCERPM: ["ham-1.0-1.src.rpm"]}
    if recipe.form == 6:
        one |= {
            Tag.PAYLOADSIZE: [len(packed)],
            Tag.PAYLOADSIZEALT: [len(archive)],
            Tag.RPMFORMAT: [6],
            Tag.PAYLOADSHA512: [hashlib.sha512(packed).hexdigest()],
            Tag.PAYLOADSHA512ALT: [hashlib.sha512(archive).hexdigest()],
            Tag.PAYLOADSHA3_256: [hashlib.sha3_256(packed).hexdigest()],
            Tag.PAYLOADSHA3_256ALT: [hashlib.sha3_256(archive).hexdigest()],
        }
    return {tag: (TAG_KINDS[tag], values) for tag, values in one.items() if len(values)}


def _requires(recipe: Recipe) -> dict[int, Sequence[int] | Sequence[str]]:
    wanted = {"CompressedFileNames": "3.0.4-1"}
    if recipe.digest != 1:
        wanted["FileDigests"] = "4.6.0-1"
    if recipe.form == 6:
        wanted["LargeFiles"] = "4.12.0-1"
    if recipe.compressor in ("bzip2", "lzma", "xz", "zstd"):
        name = f"PayloadIs{recipe.compressor.capitalize()}"
        wanted[name] = {"bzip2": "3.0.5-1", "lzma": "4.4.2-1", "xz": "5.2-1", "zstd": "5.4.18-1"}[
            recipe.compressor
        ]
    return {
        Tag.REQUIREFLAGS: [0x0100000A] * len(wanted),
        Tag.REQUIRENAME: [f"rpmlib({name})" for name in wanted],
        Tag.REQUIREVERSION: list(wanted.values()),
    }


def _file_columns(recipe: Recipe) -> dict[int, Sequence[int] | Sequence[str]]:
    files = recipe.files
    folders = [f.name.rpartition("/")[0] + "/" if "/" in f.name else "" for f in files]
    known = list(dict.fromkeys(folders))
    sizes = Tag.LONGFILESIZES if recipe.form == 6 else Tag.FILESIZES
    return {
        sizes: [_size(f) for f in files],
        Tag.FILEMODES: [f.mode for f in files],
        Tag.FILERDEVS: [0 for _ in files],
        Tag.FILEMTIMES: [f.mtime for f in files],
        Tag.FILEDIGESTS: [_file_digest(recipe, f) for f in files],
        Tag.FILELINKTOS: [f.data.decode() if stat.S_ISLNK(f.mode) else "" for f in files],
        Tag.FILEFLAGS: [f.flags for f in files],
        Tag.FILEUSERNAME: [f.user for f in files],
        Tag.FILEGROUPNAME: [f.group for f in files],
        Tag.FILEDEVICES: [1 for _ in files],
        Tag.FILEINODES: [f.inode or i + 1 for i, f in enumerate(files)],
        Tag.DIRINDEXES: [known.index(folder) for folder in folders],
        Tag.BASENAMES: [f.name.rpartition("/")[2] for f in files],
        Tag.DIRNAMES: known,
    }


def _archive(recipe: Recipe) -> bytes:
    out = bytearray()
    for index, file in enumerate(recipe.files):
        if file.flags & 1 << 6:
            continue
        if recipe.form == 6:
            out += b"07070X" + b"%08x" % index + bytes(2)
        else:
            name = file.name if recipe.source else f".{file.name}"
            out += newc(name, file.mode, file.mtime, len(file.data), file.inode or index + 1)
        out += file.data + bytes(-len(file.data) % 4)
    return bytes(out) + newc("TRAILER!!!", 0, 0, 0, 0)


def newc(name: str, mode: int, mtime: int, size: int, inode: int) -> bytes:
    """Head of a newc member, padded."""
    raw = name.encode("utf-8", "surrogateescape") + b"\0"
    fields = (inode, mode, 0, 0, 1, mtime, size, 0, 1, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + raw
    return head + bytes(-len(head) % 4)


def _signature_entries(recipe: Recipe, header: bytes, archive: bytes, packed: bytes) -> Entries:
    entries: dict[int, Values] = {Sig.SHA256: [hashlib.sha256(header).hexdigest()]}
    if recipe.form == 6:
        entries |= {Sig.SHA3_256: [hashlib.sha3_256(header).hexdigest()], Sig.RESERVED: bytes(32)}
    else:
        entries |= {
            Sig.SHA1: [hashlib.sha1(header).hexdigest()],
            Sig.SIZE: [len(header) + len(packed)],
            Sig.MD5: hashlib.md5(header + packed).digest(),
            Sig.PAYLOADSIZE: [len(archive)],
            Sig.RESERVEDSPACE: bytes(32),
        }
    typed: Entries = {tag: (SIG_KINDS[tag], values) for tag, values in entries.items()}
    typed.update({tag: value for tag, value in recipe.signature.items() if value is not None})
    for tag in [t for t, value in recipe.signature.items() if value is None]:
        typed.pop(tag, None)
    return typed
