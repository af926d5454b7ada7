"""A 2.4 kernel from a tree: configured, built in a copy, kept in the cache under the digest of its inputs."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from filelock import FileLock

from hamkit.build.kernel24.apply import apply_series
from hamkit.build.kernel24.layout import OBJECT, layout_source, read_layout
from hamkit.build.kernel24.toolchain import Toolchain, debug_flags, left_out_flags
from hamkit.build.kernel24.workspace import (
    PREFIX,
    compilers,
    copy_part,
    copy_tree,
    environment,
    make_tools,
    tools_digest_text,
)
from hamkit.errors import Failure, UserError
from hamkit.files import cache_root, folder_whole, scratch_folder, sha256_file, sha256_text, write_whole
from hamkit.kernel.config import Config, Difference, known_options, misfits, parse
from hamkit.kernel.csource import ENCODING
from hamkit.kernel.facts import probe
from hamkit.kernel.source import KernelSource
from hamkit.progress import Progress, Step
from hamkit.render.environment import render
from hamkit.render.series import SeriesResult
from hamkit.run import run
from hamkit.stage import Artifact, StageResult, Stopwatch, Verdict

LAYOUT = "5"  # of a build's folder in the cache
BASE = "config24/base.config.j2"
# What is left of a built tree, so that its makefiles compile modules outside it.
MODULE_TREE = ("Makefile", "Rules.make", ".config", "arch/i386/Makefile", "include", "scripts")
MAKE_WORDS = (
    *("ARCH=i386", f"CROSS_COMPILE={PREFIX}", "HOSTCC=gcc"),
    *("SHELL=/bin/bash", "CONFIG_SHELL=/bin/bash"),
    "GENKSYMS=genksyms",  # the one among our tools
)
BZIMAGE = "arch/i386/boot/bzImage"
SETUP_MAGIC = (0x202, b"HdrS")  # Documentation/i386/boot.txt
MEMORY_FOLDERS = ("mm", "arch/i386/mm")  # whose objects a patched kernel is held against the stock one by
ANSWERS = b"\n" * 10_000  # to every question that oldconfig asks, its default
FAULT = re.compile(  # compilers of the time write no "error:"
    r"(?m)^(?!.*\b[Ww]arning: |.*\(Each undeclared|.*for each function it appears in).*"
    r"(?:^\S+\.[chS]:\d+: |\b[Ee]rror\b[: ]|undefined reference|Invalid option|No rule to make).*$"
)
PASSED_ON = re.compile(r"make(?:\[\d+\])?: \*\*\* \[.*\] Error \d+")  # what the makefile above says of it
QUOTED = 6
CONFIGURE_SECONDS = 120.0  # a value that its script does not take makes it ask for ever
BUILD_SECONDS = 3600.0

Highmem = Literal["none", "4G", "64G"]


class ConfigurationRefused(Failure):
    """The tree's own configuration did not come out as it was asked for."""


@dataclass(frozen=True)
class Flavour:
    """What kernel to make of a tree. ``options`` (CONFIG_ name to y, m, n, number or quoted string) come
    on top of hamkit's own; ``tolerated`` may come out otherwise."""

    highmem: Highmem = "64G"
    smp: bool = False
    modules: bool = True
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def requested(self) -> Config:
        """The configuration to ask for."""
        words = {"highmem": self.highmem, "smp": self.smp, "modules": self.modules}
        return parse(render(BASE, words), BASE).merged(Config(self.options))


@dataclass(frozen=True)
class KernelRequest:
    """``series``: applied to the copy that is built; ``jobs``: processes at a time; ``renew`` builds even
    when the cache holds the result."""

    source: KernelSource
    toolchain: Toolchain
    flavour: Flavour = field(default_factory=Flavour)
    series: SeriesResult | None = None
    jobs: int = 0
    renew: bool = False


@dataclass(frozen=True)
class Kernel:
    """The results, in the cache: ``modules`` and ``include`` are folders (modules perhaps empty)."""

    folder: Path
    stage: StageResult

    @property
    def image(self) -> Path:
        return self.folder / "bzImage"

    @property
    def vmlinux(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def system_map(self) -> Path:
        return self.folder / "System.map"

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def modules(self) -> Path:
        return self.folder / "modules"

    @property
    def objects(self) -> Path:
        """The objects of the memory management, by their place in the tree: ``mm/page_alloc.o``."""
        return self.folder / "objects"

    @property
    def tree(self) -> Path:
        """What of the configured tree compiles modules: makefiles, configuration, headers."""
        return self.folder / "tree"

    @property
    def include(self) -> Path:
        """The configured headers."""
        return self.tree / "include"

    @property
    def layout(self) -> dict[str, int]:
        """Sizes and offsets in bytes: ``page`` of struct page, ``zone_free`` within a zone, and so on."""
        found: dict[str, int] = json.loads((self.folder / "layout.json").read_text(encoding="utf-8"))
        return found

    @property
    def release(self) -> str:
        """What the kernel calls itself."""
        text = (self.include / "linux" / "version.h").read_text(encoding=ENCODING)
        found = re.search(r'UTS_RELEASE\s+"([^"]+)"', text)
        if found is None:
            raise Failure(f"{self.include}/linux/version.h names no release", "build the kernel with --renew")
        return found[1]


def build_kernel(request: KernelRequest, progress: Progress) -> Kernel:
    """Build, or take from the cache.

    Raises Failure with the first faults of the compiler, or naming the options of the flavour that the
    tree did not take; UserError for values of the wrong kind.
    """
    watch, folder = Stopwatch(), kernel_folder(request)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        cached = folder.is_dir() and not request.renew
        if not cached:
            with (
                progress.step(f"build {request.source.root.name}") as step,
                scratch_folder("kernel24") as work,
                folder_whole(folder) as out,
            ):
                Building(request, work, out, step).go()
    return Kernel(folder, _stage(request, folder, watch.seconds, cached))


def kernel_folder(request: KernelRequest) -> Path:
    """Where the results of these inputs lie."""
    asked = request.flavour.requested().text()
    words = [request.source.digest, asked, request.toolchain.digest, tools_digest_text()]
    patches = request.series.patches if request.series else ()
    words += debug_flags(request.source.root)
    key = sha256_text(LAYOUT, *words, *(sha256_file(path) for path in patches))
    return cache_root() / "kernels24" / key


class Building:
    """One build in a work folder, with its results put into another."""

    def __init__(self, request: KernelRequest, work: Path, out: Path, step: Step) -> None:
        self._request, self._out, self._step = request, out, step
        self._tree, self._tools = work.resolve() / "linux", work.resolve() / "tools"
        self._log = cache_root() / "logs" / f"kernel24-{request.source.root.name}.log"
        self._environment: dict[str, str] = {}

    def go(self) -> None:
        if re.search(r"[\s:#$%]", str(self._tree)):
            raise UserError(
                f"2.4's makefiles cannot build below {self._tree.parent}", "set HAM_CACHE to a plain path"
            )
        unbuildable = probe(self._request.source.root).unbuildable
        if unbuildable:
            raise UserError(
                f"{self._request.source.root.name} does not compile for i386, patched or not: "
                + "; ".join(unbuildable),
                "mend the tree, or give another one",
            )
        self._step.note("copy")
        write_whole(self._log, "")
        copy_tree(self._request.source.root, self._tree)
        if self._request.series:
            self._step.note("patch")
            apply_series(self._request.series, self._tree, self._log)
        make_tools(self._tools, self._request.toolchain, compilers(self._tree))
        dropped = left_out_flags(self._request.toolchain, self._tree)
        self._environment = environment(self._tools, self._tree, self._request.toolchain, dropped)
        effective = self._configure()
        self._make("dep")
        self._make("bzImage", self._jobs())
        check_image(self._tree / BZIMAGE)
        if "m" in effective.options.values():
            self._make("modules", self._jobs())
            install = [f"INSTALL_MOD_PATH={self._tree}/ham-modules", "DEPMOD=/bin/true"]
            self._make("modules_install", *install)
        self._tell_layout()
        self._keep()

    def _tell_layout(self) -> None:
        write_whole((self._tree / OBJECT).with_suffix(".c"), layout_source(probe(self._request.source.root)))
        self._make(OBJECT)
        write_whole(self._out / "layout.json", json.dumps(read_layout(self._tree / OBJECT), indent=2) + "\n")

    def _configure(self) -> Config:
        asked = self._request.flavour.requested()
        wrong = misfits(asked, self._tree)
        if wrong:
            raise UserError("; ".join(wrong), "give the flavour's options values of that kind")
        write_whole(self._tree / ".config", asked.text())
        self._make("oldconfig", data=ANSWERS, timeout=CONFIGURE_SECONDS)
        effective = parse((self._tree / ".config").read_text(encoding=ENCODING), ".config")
        missed = asked.differences(effective, known_options(self._tree))
        wanted = [item for item in missed if item.known or item.name in self._request.flavour.options]
        if wanted:
            raise ConfigurationRefused(
                f"{self._request.source.root.name} does not take the configuration: {_words(wanted)}",
                "an option may depend on another one, or the tree may not be the patched one",
            )
        return effective

    def _jobs(self) -> str:
        return f"-j{self._request.jobs or os.cpu_count() or 1}"

    def _make(self, target: str, *more: str, data: bytes = b"", timeout: float = BUILD_SECONDS) -> None:
        self._step.note(f"make {target}")
        argv = ["make", *MAKE_WORDS, *more, target]
        done = run(
            argv,
            package="make",
            env=self._environment,
            cwd=self._tree,
            data=data,
            log=self._log,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise Failure(
                f"make {target} failed: {'; '.join(faults(done.stderr))}", f"whole log: {self._log}"
            )

    def _keep(self) -> None:
        shutil.copy2(self._tree / BZIMAGE, self._out / "bzImage")
        for name, kept in (("vmlinux", "vmlinux"), ("System.map", "System.map"), (".config", "config")):
            shutil.copy2(self._tree / name, self._out / kept)
        (self._out / "modules").mkdir()
        installed = self._tree / "ham-modules" / "lib" / "modules"
        for path in sorted(installed.glob("*/kernel/**/*.o")):
            shutil.copy2(path, self._out / "modules" / path.name)
        for name in MODULE_TREE:
            copy_part(self._tree / name, self._out / "tree" / name)
        for name in MEMORY_FOLDERS:
            (self._out / "objects" / name).mkdir(parents=True)
            for path in (self._tree / name).glob("*.o"):
                shutil.copy2(path, self._out / "objects" / name)
        shims = self._tools / "shims"
        write_whole(self._out / "shims", shims.read_text() if shims.is_file() else "")


def check_image(path: Path) -> None:
    """Raises Failure for a bzImage that loaders do not know: a tree may be made for one of its own."""
    offset, magic = SETUP_MAGIC
    with path.open("rb") as stream:
        stream.seek(offset)
        if stream.read(len(magic)) != magic:
            raise Failure(
                "make bzImage made no image that a PC's boot loader knows: it has no setup header",
                "mend the tree's arch/i386/boot/Makefile, made for a loader of its own, or give another tree",
            )


def faults(stderr: str) -> list[str]:
    """The first lines that tell what went wrong; of those that only pass it on, when there are no others."""
    found = FAULT.findall(stderr)
    told = [line for line in found if not PASSED_ON.match(line)] or found or stderr.splitlines()[-QUOTED:]
    return told[:QUOTED]


def _words(items: list[Difference]) -> str:
    return "; ".join(str(item) for item in items)


def _stage(request: KernelRequest, folder: Path, seconds: float, cached: bool) -> StageResult:
    shims = (folder / "shims").read_text().split()
    return StageResult(
        "kernel",
        Verdict.PASS,
        seconds,
        f"{request.source.root.name}, {request.toolchain.name}",
        inputs={
            "tree": f"sha256:{request.source.digest}",
            "config": f"sha256:{sha256_text(request.flavour.requested().text())}",
            "toolchain": f"sha256:{request.toolchain.digest}",
            **({"series": request.series.stage.inputs["tree"]} if request.series else {}),
        },
        outputs=tuple(Artifact.of(folder / name) for name in ("bzImage", "vmlinux", "System.map", "config")),
        facts={"compiler": request.toolchain.version, "shims": shims, "segment": request.toolchain.segment},
        cached=cached,
    )
