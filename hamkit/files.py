"""Files and folders written whole or not at all, digests, and the user's cache."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hamkit.errors import HamkitError, MissingNeed, UserError

PREFIX = ".hamkit-"
ASKED_WRONGLY = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
        *(errno.EEXIST, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL),
    }
)  # what a system call says of a place that cannot be; the rest (no space) is the machine's


def project_root() -> Path:
    """The folder that holds specs/, templates/, patches/ and ham-src/."""
    return Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """The user's cache: ``$HAM_CACHE`` or ``~/.cache/ham``; made when missing."""
    root = Path(os.environ.get("HAM_CACHE") or Path.home() / ".cache" / "ham")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as bad:
        raise UserError(
            f"cannot make the cache {root}: {bad.strerror}", "set HAM_CACHE to a writable folder"
        ) from bad
    return root


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, 64 hex digits."""
    return digest_file(path, "sha256")


def digest_file(path: Path, algorithm: str) -> str:
    """Digest of a file's content in hex, by hashlib's name."""
    with path.open("rb") as stream:
        made = hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False))
    return made.hexdigest()


def sha256_text(*parts: str) -> str:
    """SHA-256 over length-prefixed parts, so that no two lists of parts collide."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        total.update(f"{len(raw)}:".encode() + raw)
    return total.hexdigest()


def sha256_tree(root: Path, without: tuple[str, ...] = ()) -> str:
    """SHA-256 over names, modes (executable or not) and contents below ``root``, save for such suffixes."""
    parts: list[str] = []
    for path in sorted(p for p in root.rglob("*") if p.is_file() and p.suffix not in without):
        mode = "x" if os.access(path, os.X_OK) else "-"
        parts += [path.relative_to(root).as_posix(), mode, sha256_file(path)]
    return sha256_text(*parts)


def refused(bad: OSError) -> HamkitError:
    """What the system refused, as an error that names the place and what to do; for what nobody else told."""
    path = Path(os.fsdecode(bad.filename)) if isinstance(bad.filename, str | bytes) else None
    if path is not None and path.name.startswith(PREFIX):
        path = path.parent  # our own file on its way there
    where = "" if path is None else f"{path}: "
    kind = UserError if bad.errno in ASKED_WRONGLY else MissingNeed
    hint = "name a place that can be written and read: --out and its like, HAM_CACHE for the cache"
    if bad.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = "make room there (invoke clean empties the cache), or " + hint
    return kind(f"{where}{bad.strerror or bad or type(bad).__name__}", hint)


def read_given(path: Path, limit: int) -> bytes:
    """What a file that somebody named holds, ``limit`` bytes at most.

    Raises OSError, for one with more (a device has no end) too.
    """
    with path.open("rb") as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit >> 20} MiB", str(path))
    return content


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file so that a reader sees all of it or none. Returns ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    handle, name = tempfile.mkstemp(prefix=PREFIX, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(raw)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def check_replaceable(target: Path, marks: tuple[str, ...]) -> None:
    """Raises UserError when something is at ``target`` that is not ours to replace.

    Ours is an empty folder, and one that holds every file of ``marks``.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise UserError(f"{target} is there and no folder", "name another folder, or remove it")
    if any(target.iterdir()) and not all((target / mark).is_file() for mark in marks):
        raise UserError(
            f"the folder {target} holds something else: it would be replaced whole",
            f"name another one, new, empty or with {' and '.join(marks)} of an earlier run",
        )


@contextmanager
def folder_whole(target: Path, marks: tuple[str, ...] = ()) -> Iterator[Path]:
    """A work folder beside ``target`` that takes its place when the block ends well.

    An older ``target`` is replaced, where its place was named by somebody (``marks``) only if it is ours, see
    ``check_replaceable``; on any error the work folder is removed and ``target`` stays as it was. What a
    killed run left behind is swept first.
    """
    if marks:
        check_replaceable(target, marks)
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    work = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=target.parent))
    try:
        work.chmod(0o755)
        yield work
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=target.parent))
            target.replace(old / target.name)
            work.replace(target)
            shutil.rmtree(old)
        else:
            work.replace(target)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


@contextmanager
def scratch_folder(label: str) -> Iterator[Path]:
    """A work folder in the cache, removed when the block ends; leftovers of killed runs are swept."""
    parent = cache_root() / "work"
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    work = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-{label}-", dir=parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Remove work folders below ``parent`` whose process is gone."""
    for path in parent.glob(f"{PREFIX}*-*"):
        pid = path.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
