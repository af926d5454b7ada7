"""The source archive of HAM: the same bytes wherever and whenever it is packed."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

from hamkit.errors import UserError

BUILD_FOLDER = "build"  # where ham-src's Makefile builds unless told otherwise


def source_files(folder: Path) -> list[Path]:
    """Files that belong to the sources below ``folder``, sorted; what a build left there does not."""
    found = [p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sorted(p for p in found if not _foreign(p.relative_to(folder).parts))


def archive(folder: Path, top: str, epoch: int, extra: dict[str, Path]) -> bytes:
    """A tar.gz of the sources below the folder name ``top``, dated ``epoch`` (seconds), owned by root.

    ``extra`` adds files from elsewhere by their name in the archive. Raises UserError
    when there is nothing to pack.
    """
    members = {p.relative_to(folder).as_posix(): p for p in source_files(folder)} | extra
    if len(members) == len(extra):
        raise UserError(f"there are no sources in {folder}")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, path in sorted(members.items()):
            member = tarfile.TarInfo(f"{top}/{name}")
            content = path.read_bytes()
            member.size, member.mtime = len(content), epoch
            member.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            member.uname = member.gname = "root"
            tar.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), compresslevel=9, mtime=0)


def _foreign(parts: tuple[str, ...]) -> bool:
    return parts[0] == BUILD_FOLDER or any(part.startswith(".") for part in parts)
