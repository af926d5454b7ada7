"""A small ext2 filesystem, which a 2.4 kernel takes as its initial RAM disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hamkit.files import scratch_folder
from hamkit.prove.initramfs import Node
from hamkit.prove.iso import place
from hamkit.run import run

BLOCK = 1024  # bytes; the RAM disk's own
LEAST = 512 * BLOCK
NOBODY = "00000000-0000-0000-0000-000000000000"  # the same image each time


def ext2_image(nodes: Mapping[str, Node]) -> bytes:
    """The image of ``nodes`` (path to node), with a quarter of it free.

    Raises UserError for a device node, MissingNeed without mke2fs.
    """
    with scratch_folder("ext2") as work:
        root, image = work / "root", work / "image"
        root.mkdir()
        for name, node in sorted(nodes.items()):
            place(root, name, node)
        size = LEAST + sum(len(node.content) + BLOCK for node in nodes.values()) * 4 // 3
        _make(root, image, size // BLOCK)
        return image.read_bytes()


def _make(root: Path, image: Path, blocks: int) -> None:
    """Without any feature that came after the first 2.4 kernels."""
    argv = [
        *("mke2fs", "-q", "-t", "ext2", "-O", "none", "-I", "128", "-b", str(BLOCK), "-m", "0"),
        *("-U", NOBODY, "-E", f"hash_seed={NOBODY},root_owner=0:0", "-d", str(root), str(image), str(blocks)),
    ]
    run(argv, package="e2fsprogs", env={"E2FSPROGS_FAKE_TIME": "1"})
