"""A root filesystem for the kernel's initramfs, as a newc cpio archive.

The archive only depends on what is in it: sorted names, time 0, owner root. It is
left uncompressed: the kernel would spend longer on gzip than QEMU spends on loading
the larger file.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from hamkit.errors import UserError

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
LARGEST = 0xFFFFFFFF  # header fields are 8 hex digits
FOLDER_MODE = 0o755


@dataclass(frozen=True)
class Node:
    """One entry. ``mode`` holds type and permission bits; ``device`` is (major, minor) of a device node."""

    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def file(content: bytes, mode: int = 0o644) -> Node:
    return Node(stat.S_IFREG | mode, content)


def program(content: bytes) -> Node:
    return file(content, 0o755)


def link(target: str) -> Node:
    return Node(stat.S_IFLNK | 0o777, target.encode())


def folder() -> Node:
    return Node(stat.S_IFDIR | FOLDER_MODE)


def character_device(major: int, minor: int, mode: int = 0o600) -> Node:
    return Node(stat.S_IFCHR | mode, b"", (major, minor))


def cpio(nodes: Mapping[str, Node]) -> bytes:
    """The archive of ``nodes`` (path below the root -> node), with the folders above them.

    Raises UserError for a path that leaves the root or lies below something that is not a folder.
    """
    tree = _with_folders({_clean(path): node for path, node in nodes.items()})
    parts = [_entry(number, path, tree[path]) for number, path in enumerate(sorted(tree), 1)]
    parts.append(_entry(0, TRAILER, Node(0)))
    return b"".join(parts)


def _clean(path: str) -> str:
    pure = PurePosixPath(path.lstrip("/"))
    if ".." in pure.parts or not pure.parts or "\0" in path:
        raise UserError(f"{path!r} is not a path in the guest", "name files from its root, without ..")
    return pure.as_posix()


def _with_folders(nodes: Mapping[str, Node]) -> dict[str, Node]:
    tree = dict(nodes)
    for path in nodes:
        for above in PurePosixPath(path).parents:
            if above.name and not stat.S_ISDIR(tree.setdefault(above.as_posix(), folder()).mode):
                raise UserError(f"{path} lies below {above}, which is not a folder", "rename one of them")
    return tree


def _entry(inode: int, path: str, node: Node) -> bytes:
    name = path.encode() + b"\0"
    size = len(node.content)
    if size > LARGEST:
        raise UserError(f"{path} is too large for an initramfs", "newc holds files of up to 4 GiB")
    links = 2 if stat.S_ISDIR(node.mode) else 1
    owner = modified = on_major = on_minor = checksum = 0
    fields = (inode, node.mode, owner, owner, links, modified, size, on_major, on_minor, *node.device)
    header = MAGIC + b"".join(b"%08X" % value for value in (*fields, len(name), checksum))
    return _padded(header + name) + _padded(node.content)


def _padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 4)
