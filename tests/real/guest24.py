"""A 2.4 kernel with hot-add, HAM's modules for it, and a guest that obeys a script."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from hamkit.build.kernel24.build import Kernel, KernelRequest, build_kernel
from hamkit.build.kernel24.flavours import hotadd_flavour
from hamkit.build.kernel24.modules import Modules, ModulesRequest, build_modules
from hamkit.build.kernel24.programs import COMPILER, Programs, build_programs
from hamkit.build.kernel24.toolchain import find_toolchain, known_toolchains
from hamkit.files import cache_root, project_root
from hamkit.kernel.facts import probe
from hamkit.kernel.source import open_source
from hamkit.progress import Quiet
from hamkit.prove.initramfs import Node, file, folder, program
from hamkit.prove.iso import ROOT, SEVERAL, Disc, DiscMachine, write_iso
from hamkit.prove.port import Port
from hamkit.prove.qemu import Session, report_socket, session
from hamkit.render.series.cache import cached_series
from hamkit.run import run

MIB = 1 << 20
LOADER = ("insmod", "modprobe", "rmmod")
DRIVERS = "kernel/drivers/ham"
SECONDS = 400.0
STEP = re.compile(r"^\$ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Built:
    """One kernel with what its guest runs."""

    kernel: Kernel
    modules: Modules
    programs: Programs

    @property
    def drivers(self) -> str:
        """Where the guest has the modules."""
        return f"/lib/modules/{self.kernel.release}/{DRIVERS}"

    def files(self, script: str, init: bytes) -> dict[str, Node]:
        files = {path: folder() for path in ("/dev", "/proc", "/tmp")}
        files |= {"/sbin/init": program(init), "/script": file(script.encode())}
        tools = dict(self.programs.content())
        loader = tools.pop("insmod24")
        files |= {f"/sbin/{name}": program(loader) for name in LOADER}
        files |= {f"/bin/{name}": program(content) for name, content in tools.items()}
        modules = self.modules.content()
        return files | {f"{self.drivers}/{name}.o": file(content) for name, content in modules.items()}


@dataclass(frozen=True)
class Said:
    """What the guest reported, by command: ``of`` gives the output of the n-th with that beginning."""

    report: str

    def of(self, command: str, number: int = 0) -> str:
        parts = STEP.split(self.report)
        found = [
            text for line, text in zip(parts[1::2], parts[2::2], strict=True) if line.startswith(command)
        ]
        assert len(found) > number, f"{command} was not run {number + 1} times: {self.report[-3000:]}"
        return found[number].strip("\n")

    def lines(self, command: str, number: int = 0) -> list[str]:
        """The same without what the kernel and the drivers log meanwhile."""
        logs = ("ham: ", "mem_hotadd: ", "mhp_sim: ", "mhp_qemu: ")
        return [line for line in self.of(command, number).splitlines() if not line.startswith(logs)]


def build(name: str, flavour: str = "up", modversions: bool = False, testing: bool = True) -> Built:
    """Kernel, modules and programs; skips with the reason when something is not there."""
    tree = cache_root() / "kernels" / name
    if not tree.is_dir():
        pytest.skip(f"no kernel tree {name}: unpack one to {tree}")
    if not known_toolchains():
        pytest.skip(f"no compiler for 2.4: put a gcc 2.95 for i386 below {cache_root()}/toolchains/NAME/bin")
    if shutil.which("spatch") is None:
        pytest.skip("spatch: apt-get install coccinelle")
    if shutil.which(COMPILER) is None:
        pytest.skip(f"no {COMPILER}: dpkg --add-architecture i386, then apt-get install musl-dev:i386")
    source, toolchain = open_source(tree), find_toolchain()
    series = cached_series(source, 128, Quiet())
    wanted = hotadd_flavour(probe(tree), flavour, modversions=modversions)
    kernel = build_kernel(KernelRequest(source, toolchain, wanted, series), Quiet())
    modules = build_modules(ModulesRequest(kernel, toolchain, testing), Quiet())
    return Built(kernel, modules, build_programs(Quiet()))


def script_init(target: Path) -> bytes:
    """The init that obeys a script."""
    source = project_root() / "tests" / "data" / "kernel" / "script24.c"
    run([COMPILER, "-static", "-Os", "-Wall", "-Werror", "-o", target, source])
    return target.read_bytes()


def machine(
    built: Built, script: str, work: Path, extra: Mapping[str, bytes] | None = None, **more: int
) -> DiscMachine:
    """The machine that obeys a script. ``extra``: files more; ``more``: memory, cpus, slots, largest."""
    files = built.files(script, script_init(work / "init"))
    files |= {path: file(content) for path, content in (extra or {}).items()}
    memory = more.get("memory", 2304 * MIB)
    # mem= makes RAM of all below it, the firmware's tables at the end of memory too
    limit = " mem=256M" if memory > 256 * MIB else ""
    limit += f" {SEVERAL}" if more.get("cpus", 1) > 1 else ""
    disc = Disc(built.kernel.image, f"console=ttyS0,115200 {ROOT} panic=1{limit}", files)
    iso = write_iso(disc, work / "guest.iso")
    return DiscMachine(
        iso,
        memory,
        work / "console",
        work / "report",
        cpus=more.get("cpus", 1),
        slots=more.get("slots", 0),
        largest=more.get("largest", 0),
    )


def obey(
    built: Built, script: str, work: Path, extra: Mapping[str, bytes] | None = None, **more: int
) -> Said:
    """Boot, obey, and what was said. The guest must have come to its end without an oops."""
    wanted = machine(built, script, work, extra, **more)
    run(wanted.argv(), package="qemu-system-x86", timeout=SECONDS)
    return heard(work)


@contextmanager
def running(built: Built, script: str, work: Path, **more: int) -> Iterator[tuple[Session, Port]]:
    """The same, with the host's hand on the machine; the port's ``pauses`` takes down what was reported."""
    wanted = machine(built, script, work, None, **more)
    with (
        session(wanted, work / "qemu.log") as under,
        Port(report_socket(under.control), wanted.report) as port,
    ):
        yield under, port


def heard(work: Path) -> Said:
    console = (work / "console").read_bytes().decode("latin-1").replace("\r", "")
    for fault in ("Oops", "kernel BUG", "Unable to handle", "Kernel panic", "Bad page", "scheduling in"):
        assert fault not in console, console[-4000:]
    report = (work / "report").read_bytes().decode("latin-1")
    assert report.endswith("hamkit: done\n"), report[-2000:] + console[-2000:]
    return Said(report.removesuffix("hamkit: done\n"))
