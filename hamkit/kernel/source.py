"""A kernel's source as the user gives it: a folder, an archive, a package or a name in the cache.

Never modified. Archives and packages are unpacked once into the cache, under the digest of the file.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hamkit.errors import UserError
from hamkit.files import cache_root, folder_whole, scratch_folder, sha256_file, write_whole
from hamkit.kernel.identify import is_tree
from hamkit.kernel.unpack import Writer, unpack_tar
from hamkit.rpmfiles import extract_rpm, read_package
from hamkit.run import Argv, run

INVENTORY = r"%H\0%y %P %i %s %C@ %l\0"  # the time of change follows mode and content too
AT_A_TIME = 4  # trees whose inventories are in memory together, for each thread that reads
READERS = 2
RPM_MAGIC = b"\xed\xab\xee\xdb"
TARBALL = re.compile(r"linux-2\.4\.[\w.-]*\.(?:tar(?:\.(?:gz|bz2|xz))?|tgz|tbz2?)")
PATCH = re.compile(r".*\.(?:patch|diff)(?:\.(?:gz|bz2))?")
INSTALLED = re.compile(r"/usr/src/(?:kernels/)?linux-2\.4[^/]*/.+")


@dataclass(frozen=True)
class KernelSource:
    """A tree to read from. ``origin`` is what the user gave."""

    root: Path
    origin: str

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names, modes, contents and links of all of it."""
        return remembered_digest(self.root)

    @cached_property
    def inventory(self) -> str:
        """SHA-256 over what the file system knows of each file: any edit changes it, no file is read."""
        return inventory(self.root)


def open_source(given: str | Path) -> KernelSource:
    """Find a kernel source by path, or by its name below ``kernels/`` in the cache.

    Raises UserError for what is not there, not a kernel, or not safe to unpack.
    """
    path = Path(given).expanduser()
    if not path.exists():
        path = _in_cache(str(given))
    if path.is_dir():
        root = _top(path, str(given))
    elif _is_rpm(path):
        root = _unpacked(path, _unpack_package)
    else:
        root = _unpacked(path, unpack_tar)
    return KernelSource(root, str(given))


def known_names() -> tuple[str, ...]:
    """The sources in the cache, by name."""
    folder = cache_root() / "kernels"
    return tuple(sorted(p.name for p in folder.iterdir() if p.name[0] != ".")) if folder.is_dir() else ()


def remembered_digest(root: Path) -> str:
    """``tree_digest``, remembered for as long as no file's inode, size or time of change does."""
    note = cache_root() / "digests" / inventory(root)
    if not note.is_file():
        write_whole(note, tree_digest(root))
    return note.read_text(encoding="ascii")


def inventory(root: Path) -> str:
    """SHA-256 over kind, name, inode, size, time of change and link of every file below ``root``."""
    return inventories((root,))[root]


def inventories(roots: Sequence[Path]) -> dict[Path, str]:
    """The ``inventory`` of each root, of several in one process."""
    roots = list(dict.fromkeys(roots))
    batches = [roots[start : start + AT_A_TIME] for start in range(0, len(roots), AT_A_TIME)]
    with ThreadPoolExecutor(READERS) as pool:
        return {root: digest for found in pool.map(_inventories, batches) for root, digest in found.items()}


def _inventories(roots: Sequence[Path]) -> dict[Path, str]:
    """What find says of one root follows what it says of the one before; in the order of the folders, which
    stays as long as nobody changes them."""
    argv: Argv = ["find", *roots, "-mindepth", "1", "!", "-type", "d", "-printf", INVENTORY]
    text = "\0" + run(argv, package="findutils").stdout
    starts = [text.find(f"\0{root}\0") for root in roots]
    found, end = {}, len(text)
    for root, start in reversed(list(zip(roots, starts, strict=True))):
        entries = text[start:end].strip("\0") if start >= 0 else ""
        found[root] = hashlib.sha256(entries.encode(errors="surrogateescape")).hexdigest()
        end = start if start >= 0 else end
    return found


def tree_digest(root: Path) -> str:
    """SHA-256 over names, executable bits, contents and links below ``root``; special files are left out."""
    total = hashlib.sha256()
    for name, entry in sorted(_entries(os.fspath(root), "")):
        if entry.is_symlink():
            kind, raw = "l", os.fsencode(os.readlink(entry.path))  # noqa: PTH115 - a path object costs more
        else:
            kind, raw = _content(entry.path)
        digest = hashlib.sha256(raw).hexdigest()
        total.update(f"{len(name)}:{name}{kind}{digest}".encode(errors="surrogateescape"))
    return total.hexdigest()


def _entries(folder: str, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as found:
        for entry in found:
            name = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path, name + "/")
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                yield name, entry


def _content(path: str) -> tuple[str, bytes]:
    with open(path, "rb") as stream:  # noqa: PTH123 - 13000 files: a path object costs more than the reading
        return ("x" if os.fstat(stream.fileno()).st_mode & 0o100 else "f"), stream.read()


def _in_cache(name: str) -> Path:
    folder = cache_root() / "kernels"
    if "/" not in name and name not in ("", ".", ".."):
        for candidate in (folder / name, folder / f"linux-{name}"):
            if candidate.exists():
                return candidate
    known = ", ".join(known_names())
    raise UserError(
        f"there is no kernel source {name}",
        f"give a folder, a tarball, a .src.rpm or one of these names: {known}"
        if known
        else f"give a folder, a tarball or a .src.rpm, or put sources below {folder}",
    )


def _top(folder: Path, given: str) -> Path:
    """The top of the tree: the folder itself or the only tree right below it."""
    if is_tree(folder):
        return folder.resolve()
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and is_tree(path)]
    if len(below) == 1:
        return below[0].resolve()
    words = f"holds {len(below)} kernel trees" if below else "holds no kernel tree"
    raise UserError(f"{given} {words}", "give the folder that holds the kernel's top-level Makefile")


def _is_rpm(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(4) == RPM_MAGIC
    except OSError as bad:
        raise UserError(f"cannot read {path}: {bad.strerror}", "give a readable file") from bad


def _unpacked(path: Path, unpack: Callable[[Path, Path], None]) -> Path:
    target = cache_root() / "trees" / sha256_file(path)
    if not target.is_dir():
        with folder_whole(target) as work:
            unpack(path, work)
            _top(work, str(path))
    return _top(target, str(path))


def _unpack_package(path: Path, root: Path) -> None:
    if read_package(path).is_source:
        _unpack_source_package(path, root)
    else:
        _unpack_installed(path, root)


def _unpack_source_package(path: Path, root: Path) -> None:
    """The kernel's tarball from a source package that adds no patches to it."""
    names = {file.name for file in read_package(path).files}
    tarballs = sorted(name for name in names if TARBALL.fullmatch(name))
    if len(tarballs) != 1:
        raise UserError(
            f"{path} holds {len(tarballs)} tarballs linux-2.4*: {', '.join(tarballs) or 'none'}",
            "give the source package of a 2.4 kernel, or a prepared tree",
        )
    patches = [name for name in names if PATCH.fullmatch(name)]
    if patches:
        raise UserError(
            f"{path} has {len(patches)} patches, which its spec chooses and applies",
            "prepare it where it belongs (rpmbuild -bp --target i686) and give the folder below BUILD",
        )
    content = extract_rpm(path, lambda name: name == tarballs[0])[tarballs[0]]
    with scratch_folder("tarball") as work:
        tarball = work / tarballs[0]
        tarball.write_bytes(content)
        unpack_tar(tarball, root)


def _unpack_installed(path: Path, root: Path) -> None:
    """The tree that a kernel-source package installs below /usr/src."""
    modes = {file.name: file.mode for file in read_package(path).files}
    files = extract_rpm(path, lambda name: INSTALLED.fullmatch(name) is not None)
    writer = Writer(root, path.name)
    for name, content in files.items():
        executable = bool(modes[name] & 0o100)
        writer.file(name.removeprefix("/usr/src/"), io.BytesIO(content), executable, 0)
