"""A built 2.4 kernel's tree with its compiler, packed for rpmbuild in an image to compile modules with."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hamkit.build.kernel24.build import MAKE_WORDS, Kernel
from hamkit.build.kernel24.toolchain import Toolchain, left_out_flags
from hamkit.build.kernel24.workspace import environment, make_tools, tools_digest_text
from hamkit.errors import UserError
from hamkit.files import scratch_folder, sha256_text

TOOLS = Path("/usr/lib/hamkit/tools24")
TREE = Path("/usr/src/linux-2.4")
BOOT_KERNEL = "boot/kernel.h"  # which a vendor's rhconfig.h includes, empty or not
LARGEST = 512 << 20
KERNEL_TAR = "kernel.tar"
UNPACK = f'tar -xf {KERNEL_TAR} -C / && rm {KERNEL_TAR} && exec "$@"'
NOWHERE = Path("/nonexistent")


@dataclass(frozen=True)
class PackedKernel:
    """``tar`` is unpacked at an image's root; ``env`` and ``macros`` are for rpmbuild there. ``digest`` tells
    kernel, compiler and tools, wherever they lie."""

    release: str
    tar: bytes
    env: Mapping[str, str]
    macros: Mapping[str, str]
    digest: str

    def wrapped(self, argv: list[str]) -> list[str]:
        """The command, run once ``kernel.tar`` is unpacked."""
        return ["sh", "-c", UNPACK, "sh", *argv]


def pack_kernel(kernel: Kernel, toolchain: Toolchain) -> PackedKernel:
    """Pack what compiles modules for a kernel. Raises UserError for a compiler without its own folder."""
    home = _home(toolchain)
    there = _moved(toolchain, home)
    dropped = left_out_flags(toolchain, kernel.tree)
    raw = io.BytesIO()
    with scratch_folder("packed") as work, tarfile.open(fileobj=raw, mode="w") as tar:
        make_tools(work / "tools", there)
        _add(tar, kernel.tree, TREE)
        _add(tar, home, home)  # many a compiler finds its parts where it was installed only
        _add(tar, work / "tools", TOOLS)
        tar.addfile(tarfile.TarInfo(BOOT_KERNEL))
    # The tree's place shows in no module: it is the same each time.
    env = environment(TOOLS, NOWHERE, there, dropped)
    del env["SOURCE_DATE_EPOCH"]
    macros = {
        "kernel_tree": str(TREE),
        "kernel_release": kernel.release,
        "kernel_flavours": "up",
        "kernel_make": " ".join(MAKE_WORDS),
    }
    digest = sha256_text(kernel.folder.name, toolchain.digest, tools_digest_text())
    return PackedKernel(kernel.release, raw.getvalue(), env, macros, digest)


def _home(toolchain: Toolchain) -> Path:
    """The folder that holds the compiler with all that is its own."""
    home = toolchain.cc.parent.parent if toolchain.cc.parent.name == "bin" else toolchain.cc.parent
    size = 0
    for path in home.rglob("*") if home not in (Path("/"), Path("/usr")) else ():
        size += path.stat().st_size if path.is_file() else 0
        if size > LARGEST:
            break
    if size == 0 or size > LARGEST:
        raise UserError(
            f"the compiler {toolchain.cc} is in no folder of its own: it cannot be brought into the image",
            "install it below toolchains/NAME in the cache",
        )
    return home


def _moved(toolchain: Toolchain, home: Path) -> Toolchain:
    """The toolchain in the image, where the system's programs are Debian's."""

    def there(path: Path) -> Path:
        return path if path.is_relative_to(home) else Path("/usr/bin") / path.name

    return replace(
        toolchain,
        assembler=there(toolchain.assembler),
        linker=there(toolchain.linker),
        binutils=tuple((name, there(path)) for name, path in toolchain.binutils),
    )


def _add(tar: tarfile.TarFile, source: Path, place: Path) -> None:
    """A folder by its place in the image: sorted, root's, undated, so that it is the same bytes each time."""
    for path in sorted(source.rglob("*")):
        member = tar.gettarinfo(path, arcname=str(place / path.relative_to(source)).lstrip("/"))
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mtime = 0
        if member.isreg():
            with path.open("rb") as stream:
                tar.addfile(member, stream)
        else:
            tar.addfile(member)
