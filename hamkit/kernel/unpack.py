"""Unpacks archives that nobody vouches for: nothing outside the target, no devices, no bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from hamkit.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import Buffer

LARGEST = 1 << 30  # bytes unpacked, headers and all; a 2.4 tree has some 200 MB
MOST_MEMBERS = 200_000
CHUNK = 1 << 20
LATEST = (1 << 31) - 1  # seconds; what a member may claim as its time
COMPRESSORS: Mapping[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\x00": lzma.open}
BROKEN = (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, OSError, ValueError)


class Bounded(io.RawIOBase):
    """A stream that refuses to give more than LARGEST bytes; ``given`` counts them."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream, self._name = stream, name
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        chunk = self._stream.read(len(view))
        self.given += len(chunk)
        if self.given > LARGEST:
            raise UserError(
                f"{self._name} unpacks to more than {LARGEST >> 20} MiB", "that is no 2.4 kernel source"
            )
        view[: len(chunk)] = chunk
        return len(chunk)


class Writer:
    """Writes files and links below a folder; links are made last, so that none is written through."""

    def __init__(self, root: Path, archive: str) -> None:
        self._root, self._archive = root, archive
        self._links: dict[PurePosixPath, str] = {}

    def folder(self, name: str) -> None:
        self._place(self.clean(name)).mkdir(parents=True, exist_ok=True)

    def file(self, name: str, stream: IO[bytes], executable: bool, seconds: float) -> int:
        """Write a file and return its size."""
        path = self._free(name)
        with path.open("wb") as target:
            shutil.copyfileobj(stream, target, CHUNK)
        path.chmod(0o755 if executable else 0o644)
        moment = min(max(int(seconds), 0), LATEST)
        os.utime(path, (moment, moment))
        return path.stat().st_size

    def hard_link(self, name: str, target: str) -> None:
        """A second name of a file that is there already; it becomes a copy."""
        source = self._root / self.clean(target)
        if not source.is_file():
            raise self.refusal(name, f"is a link to {target!r}, which is not in the archive")
        shutil.copy2(source, self._free(name))

    def symbolic_link(self, name: str, target: str) -> None:
        if target.startswith("/") or not target:
            raise self.refusal(name, f"is a link to {target!r}, out of the archive")
        self._links[self.clean(name)] = target

    def finish(self) -> None:
        """Make the symbolic links. Raises UserError when one leads out of the folder."""
        top = os.path.realpath(self._root)
        for name, target in self._links.items():
            self._free(str(name)).symlink_to(target)
        for name, target in self._links.items():
            end = os.path.realpath(self._root / name)
            if end != top and not end.startswith(top + os.sep):
                raise self.refusal(str(name), f"is a link to {target!r}, out of the archive")

    def clean(self, name: str) -> PurePosixPath:
        """A member's name as a path below the root. Raises UserError for one that leads elsewhere."""
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or "\0" in name:
            raise self.refusal(name, "is not a path within the archive")
        return pure

    def refusal(self, name: str, why: str) -> UserError:
        return UserError(f"{self._archive}: member {name!r} {why}", "do not trust this archive")

    def _free(self, name: str) -> Path:
        """The place for a new file: its folders made, an earlier member of that name gone."""
        pure = self.clean(name)
        if not pure.parts:
            raise self.refusal(name, "has no name")
        path = self._place(pure)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path

    def _place(self, pure: PurePosixPath) -> Path:
        through = next((above for above in (pure, *pure.parents) if above in self._links), None)
        if through is not None and through != pure:
            raise self.refusal(str(pure), f"lies below the link {str(through)!r}")
        return self._root / pure


def unpack_tar(path: Path, root: Path) -> None:
    """Unpack a tarball (plain, gzip, bzip2 or xz) below ``root``.

    Raises UserError for one that cannot be read, is too large, or holds anything but files, folders and
    links within itself.
    """
    writer = Writer(root, path.name)
    try:
        with decompressed(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for count, member in enumerate(archive, 1):
                if count > MOST_MEMBERS:
                    raise UserError(f"{path.name} has more than {MOST_MEMBERS} members", "that is no kernel")
                _unpack_member(archive, member, writer)
            if archive.offset + tarfile.BLOCKSIZE > stream.given:  # tarfile takes a cut for the end
                raise tarfile.ReadError("it ends before its end mark")
        writer.finish()
    except BROKEN as bad:
        raise UserError(
            f"{path} cannot be unpacked: {bad}", "give a tarball (tar, gz, bz2, xz) of a kernel's source"
        ) from bad


@contextmanager
def decompressed(path: Path) -> Iterator[Bounded]:
    """A file's content behind whatever compressor its first bytes tell of, bounded."""
    with path.open("rb") as raw:
        start = raw.read(6)
    opener = next((opener for magic, opener in COMPRESSORS.items() if start.startswith(magic)), Path.open)
    with opener(path, "rb") as stream:
        yield Bounded(stream, path.name)


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, writer: Writer) -> None:
    if member.isdir():
        writer.folder(member.name)
    elif member.isreg() and not member.issparse():
        stream = archive.extractfile(member)
        if stream is None:
            raise writer.refusal(member.name, "cannot be read")
        written = writer.file(member.name, stream, bool(member.mode & 0o100), member.mtime)
        if written != member.size:
            raise tarfile.ReadError(f"{member.name} is cut short")
    elif member.islnk():
        writer.hard_link(member.name, member.linkname)
    elif member.issym():
        writer.symbolic_link(member.name, member.linkname)
    else:
        raise writer.refusal(member.name, "is neither a file, a folder nor a link")
