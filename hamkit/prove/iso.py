"""A CD that boots a 2.4 kernel, and the machine that boots it.

QEMU's ``-kernel`` overwrites the setup code of kernels whose boot protocol is older than 2.03, so these
boot from a CD by isolinux. The CD is the root filesystem too: an initial RAM disk would be put near the
top of low memory, where it is in the way of what is to be tested.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from hamkit.errors import MissingNeed, UserError
from hamkit.files import scratch_folder, write_whole
from hamkit.prove.initramfs import Node
from hamkit.prove.qemu import PROGRAM, report_socket
from hamkit.run import run

LOADER = (
    ("isolinux", ("/usr/lib/ISOLINUX/isolinux.bin", "/usr/share/syslinux/isolinux.bin")),
    ("syslinux-common", ("/usr/lib/syslinux/modules/bios/ldlinux.c32", "/usr/share/syslinux/ldlinux.c32")),
)
FOLDER = "isolinux"
KERNEL = "vmlinuz"
INITRD = "initrd"
EPOCH = 0  # seconds; the date of everything on the CD
LONGEST_APPEND = 255  # bytes that a kernel with boot protocol 2.02 reads of its command line
ROOT = "root=/dev/hdc ro"
# For more than one processor: on a busy host 2.4 finds the timer dead behind the IO-APIC, and panics;
# to 2.4.2 its NMI watchdog, which goes by that timer, takes a processor without host time for locked up.
SEVERAL = "noapic"
DEFAULT_MODEL = "pentium3"  # 36 physical bits; QEMU's 32-bit default has 32, and PAE loops for ever beyond


@dataclass(frozen=True)
class Disc:
    """What is on the CD. ``files``: path on the CD to a file, link or folder; 2.4 has no device nodes here,
    its init mounts a filesystem on /dev. ``append`` is the kernel's whole command line."""

    kernel: Path
    append: str
    files: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
    initrd: bytes | None = None


@dataclass(frozen=True)
class DiscMachine:
    """A PC that boots from a CD. ``memory`` in bytes; ``console`` and ``report`` get the serial ports, raw.

    Under control (see ``argv``) the second port is the socket ``report`` beside the control socket instead,
    so that the host can answer the guest.

    ``slots`` and ``largest`` (bytes) leave room for memory plugged in while it runs; at most ``low_memory``
    bytes of RAM lie below 4 GiB, 0: as the board has it; ``disk``: an image that is the first disk;
    ``extra`` are more arguments for QEMU.
    """

    iso: Path
    memory: int
    console: Path
    report: Path
    cpus: int = 1
    slots: int = 0
    largest: int = 0
    low_memory: int = 0
    model: str = DEFAULT_MODEL
    disk: Path | None = None
    extra: tuple[str, ...] = ()
    small_pages: bool = True  # 2.4 probes memory 2 MiB apart: zeroing huge pages for that took half the time

    def argv(self, control: Path | None = None) -> tuple[str, ...]:
        """QEMU's argument vector, with its QMP server at the socket ``control``, if given."""
        threads = "multi" if self.cpus > 1 else "single"
        split = f",max-ram-below-4g={self.low_memory}" if self.low_memory else ""
        room = f",slots={self.slots},maxmem={self.largest // 1024}k" if self.slots else ""
        return (
            PROGRAM,
            *("-no-user-config", "-nodefaults", "-no-reboot"),
            *("-machine", f"pc,graphics=off{split}", "-accel", f"tcg,thread={threads}"),
            *("-cpu", self.model, "-m", f"{self.memory // 1024}k{room}"),
            # without ACPI a kernel finds sockets only, not cores
            *("-smp", f"{self.cpus},sockets={self.cpus},cores=1,threads=1"),
            *("-display", "none", "-vga", "none"),
            *("-chardev", f"file,id=console,path={_quoted(self.console)}", "-serial", "chardev:console"),
            *("-chardev", self._port(control), "-serial", "chardev:report"),
            *_monitor(control),
            *("-drive", f"file={_quoted(self.iso)},if=ide,index=2,media=cdrom,readonly=on", "-boot", "d"),
            *_first_disk(self.disk),
            *self.extra,
        )

    def _port(self, control: Path | None) -> str:
        if control is None:
            return f"file,id=report,path={_quoted(self.report)}"
        place = _quoted(report_socket(control))
        return f"socket,id=report,path={place},server=on,wait=off"


def _first_disk(image: Path | None) -> tuple[str, ...]:
    if image is None:
        return ()
    return ("-drive", f"file={_quoted(image)},if=ide,index=0,media=disk,format=raw,cache=unsafe")


def _monitor(control: Path | None) -> tuple[str, ...]:
    if control is None:
        return ()
    channel = f"socket,id=control,path={_quoted(control)},server=on,wait=off"
    return ("-chardev", channel, "-mon", "chardev=control,mode=control")


def write_iso(disc: Disc, target: Path) -> Path:
    """Write a bootable CD image; it depends on nothing but what is on it. Returns ``target``.

    Raises MissingNeed (no isolinux, no xorriso), UserError for what cannot be on the CD.
    """
    if len(disc.append.encode()) > LONGEST_APPEND:
        raise UserError(
            f"the kernel's command line has more than {LONGEST_APPEND} bytes", "2.4 kernels read no more"
        )
    with scratch_folder("iso") as work:
        root, image = work / "root", work / "image.iso"
        for name, node in sorted(disc.files.items()):
            place(root, name, node)
        _boot_files(root / FOLDER, disc)
        for path in (*root.rglob("*"), root):
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
        _master(root, image)
        return write_whole(target, image.read_bytes())


def loader_files() -> tuple[Path, ...]:
    """isolinux and its module. Raises MissingNeed naming the package that lacks."""
    found = []
    for package, places in LOADER:
        path = next((Path(place) for place in places if Path(place).is_file()), None)
        if path is None:
            raise MissingNeed(f"{package} is not installed", f"apt-get install {package}")
        found.append(path)
    return tuple(found)


def _boot_files(folder: Path, disc: Disc) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in loader_files():
        shutil.copyfile(path, folder / path.name)
    if not disc.kernel.is_file():
        raise UserError(f"there is no kernel image {disc.kernel}", "give the path of a bzImage")
    shutil.copyfile(disc.kernel, folder / KERNEL)
    lines = ["default linux", "prompt 0", "timeout 0", "label linux", f" kernel {KERNEL}"]
    if disc.initrd is not None:
        (folder / INITRD).write_bytes(disc.initrd)
        lines.append(f" initrd {INITRD}")
    lines.append(f" append {disc.append}")
    (folder / "isolinux.cfg").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")


def place(root: Path, name: str, node: Node) -> None:
    """Put a file, folder or link below ``root``. Raises UserError for a device or a path that leaves it."""
    pure = PurePosixPath(name.lstrip("/"))
    if ".." in pure.parts or not pure.parts or pure.parts[0] == FOLDER:
        raise UserError(f"{name!r} is not a free path on the CD", "name files from its root, without ..")
    path = root / pure
    path.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISDIR(node.mode):
        path.mkdir(exist_ok=True)
    elif stat.S_ISLNK(node.mode):
        path.symlink_to(node.content.decode())
    elif stat.S_ISREG(node.mode):
        path.write_bytes(node.content)
        path.chmod(stat.S_IMODE(node.mode))
    else:
        raise UserError(f"{name} is a device, which a CD does not hold here", "let init make it")


def _master(root: Path, image: Path) -> None:
    argv = [
        *("xorriso", "-as", "mkisofs", "-quiet", "-R", "-uid", "0", "-gid", "0", "-V", "HAMKIT"),
        *("-b", f"{FOLDER}/isolinux.bin", "-c", f"{FOLDER}/boot.cat"),
        *("-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"),
        *("-o", os.fspath(image), os.fspath(root)),
    ]
    run(argv, package="xorriso", env={"SOURCE_DATE_EPOCH": str(EPOCH)})


def _quoted(path: Path) -> str:
    """A path as the value of a QEMU option, where a comma ends a value unless doubled."""
    return os.fspath(path).replace(",", ",,")
