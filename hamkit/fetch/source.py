"""A kernel source as a task is given it: what ``open_source`` takes, or URLs of one file.

A file from a URL lies in the cache's ``kernels/`` under its own name. Its digest is pinned on first use; a
file with a pin is verified whenever it is used, by URL or by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from hamkit.errors import Failure, HamkitError, UserError
from hamkit.fetch import pins
from hamkit.fetch.names import is_url, shown, source_name
from hamkit.files import cache_root, sha256_file
from hamkit.kernel.source import KernelSource, open_source
from hamkit.progress import Progress


def find_source(given: str, progress: Progress) -> KernelSource:
    """A folder, an archive, a package, a name in the cache; or a URL, several with blanks between them being
    mirrors of one file, which is downloaded unless the cache has it.

    Raises UserError, MissingNeed when the file cannot be had, and Failure when it is not what was pinned.
    """
    if not is_url(given):
        _verify_named(given)
        return open_source(given)
    urls = given.split()
    try:
        name = source_name(urls)
    except ValueError as bad:
        raise UserError(str(bad), "give the URL of a tarball, a .src.rpm or a kernel-source package") from bad
    with _alone(name, progress):
        found = _verified(cache_root() / "kernels" / name, urls, progress)
    return replace(found, origin=" ".join(shown(url) for url in urls))


@contextmanager
def _alone(name: str, progress: Progress) -> Iterator[None]:
    """One run at a time for a file."""
    folder = cache_root() / "locks"
    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / f"source-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress.note(f"another run is fetching {name}, waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _verified(target: Path, urls: Sequence[str], progress: Progress) -> KernelSource:
    """The source in a file of the cache, downloaded if it is not there, pinned if it has no pin."""
    wanted, there = pins.pinned(target.name), target.is_file()
    if target.is_dir():
        raise UserError(f"{target} is a folder", f"give its name, {target.name}, or move it away")
    if not there:
        _bring(target, urls, wanted, progress)
    digest = sha256_file(target)
    if wanted not in (None, digest):
        raise _mismatch(str(target), target.name, str(wanted), digest)
    try:
        found = open_source(target)
    except HamkitError:
        if wanted is None and not there:  # a page in the file's place, say: not worth keeping
            target.unlink(missing_ok=True)
        raise
    if wanted is None:
        pins.pin(target.name, digest)
        progress.note(f"pinned {target.name} in {pins.lock_file()}: SHA-256 {digest}")
    return found


def _bring(target: Path, urls: Sequence[str], wanted: str | None, progress: Progress) -> None:
    """Download (or copy) the file; one that is not what was pinned leaves nothing behind."""
    from hamkit.fetch.download import Part, download  # noqa: PLC0415 - an HTTP client, for few runs

    target.parent.mkdir(exist_ok=True)
    part = Part(target)
    try:
        url = download(urls, part, progress)
    except HamkitError as bad:
        raise type(bad)(bad.message, f"{bad.hint}; or put the file at {target} yourself") from bad
    digest = sha256_file(part.path)
    if wanted is not None and digest != wanted:
        part.drop()
        raise _mismatch(shown(url), target.name, wanted, digest)
    part.become(target)


def _verify_named(given: str) -> None:
    """Hold a file of the cache that is given by name against its pin, if it has one."""
    if "/" in given or Path(given).exists():
        return
    for path in (cache_root() / "kernels" / given, cache_root() / "kernels" / f"linux-{given}"):
        wanted = pins.pinned(path.name) if path.is_file() else None
        if wanted and (digest := sha256_file(path)) != wanted:
            raise _mismatch(str(path), path.name, wanted, digest)


def _mismatch(where: str, name: str, wanted: str, digest: str) -> Failure:
    return Failure(
        f"{where} has SHA-256 {digest}, but {name} is pinned as {wanted}",
        f"do not trust it; if the change is wanted, remove the file and its line in {pins.lock_file()}",
    )
