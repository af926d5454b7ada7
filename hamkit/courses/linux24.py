"""The stages for a 2.4 kernel tree, each run at most once: what a task needs is what it asks for.

facts -> series -> kernel -> modules, programs -> boot -> prove. The tree is never changed; everything made
lies in the cache under the digest of what it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from hamkit import scenarios
from hamkit.build.kernel24.build import Flavour, Kernel, KernelRequest, build_kernel, kernel_folder
from hamkit.build.kernel24.flavours import hotadd_flavour
from hamkit.build.kernel24.modules import Modules, ModulesRequest, build_modules, modules_folder
from hamkit.build.kernel24.programs import (
    COMPILER,
    PACKAGE,
    Programs,
    build_programs,
    programs_folder,
)
from hamkit.build.kernel24.toolchain import find_toolchain
from hamkit.courses.course import Planned, ProvingCourse
from hamkit.courses.tree import SERIES_RESERVE_MB, TreeCourse
from hamkit.model import i386 as model
from hamkit.model.scenario import Line, Scenario
from hamkit.progress import Progress
from hamkit.prove import qemu
from hamkit.prove.boot import BootResult
from hamkit.prove.boot24 import TreeBoot, boot_tree
from hamkit.prove.bootlog24 import model_kernel
from hamkit.prove.compare24 import compare
from hamkit.prove.comparison import Comparison
from hamkit.prove.iso import loader_files
from hamkit.render.series.cache import series_folder
from hamkit.run import find
from hamkit.stage import StageResult

SMP_CPUS = 2


@dataclass(frozen=True)
class TreeRequest:
    """What to run for one tree: a folder, an archive, a source package or a name in the cache.

    ``scenario``: None for the default; ``flavour`` and ``highmem``: empty for the tree's first;
    ``reserve_mb``: the window for struct pages, None: the scenario's; ``modversions``: symbols carry
    versions; ``testing``, ``renew``, ``keep`` as for a distribution.
    """

    tree: str
    scenario: Scenario | None = None
    flavour: str = ""
    highmem: str = ""
    toolchain: str = ""
    reserve_mb: int | None = None
    modversions: bool = False
    testing: bool = False
    renew: bool = False
    keep: bool = False


@dataclass
class TreePipeline(TreeCourse, ProvingCourse):
    """One run for one tree. ``watch`` is told of each stage that ended, well or not."""

    request: TreeRequest
    progress: Progress
    watch: Callable[[StageResult], None] = lambda _: None
    results: list[StageResult] = field(default_factory=list)

    @property
    def subject(self) -> str:
        words = (self.source.root.name, self.request.flavour or "up", self.request.highmem)
        return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(word for word in words if word))

    @property
    def keep(self) -> bool:
        return self.request.keep

    @cached_property
    def flavour(self) -> Flavour:
        """Of the request, else of the scenario, else what the tree bears."""
        asked, wanted, plain = self.request, self.request.scenario, model.Kernel()
        highmem, reserve = asked.highmem, asked.reserve_mb
        if wanted and not highmem and wanted.kernel.highmem is not plain.highmem:
            highmem = wanted.kernel.highmem.value
        if reserve is None:
            reserve = (wanted.kernel if wanted else plain).reserve
        return hotadd_flavour(self.facts, asked.flavour, highmem, reserve, asked.modversions)

    @cached_property
    def asked_scenario(self) -> Scenario:
        """The request's, or the one for such a kernel."""
        path = scenarios.default_scenario(Line.LINUX24, model.Highmem(self.flavour.highmem))
        return self.request.scenario or scenarios.load(path, Line.LINUX24)

    @cached_property
    def kernel_request(self) -> KernelRequest:
        asked = self.request
        return KernelRequest(self.source, self.toolchain, self.flavour, self.series, renew=asked.renew)

    @cached_property
    def scenario(self) -> Scenario:
        """What is run: with the kernel as it was built, and the processors that it gets."""
        asked, kernel = self.asked_scenario, self.kernel
        built = model_kernel(self.series.facts, kernel.layout, self.flavour.highmem, asked.kernel)
        reserve = int(self.flavour.options["CONFIG_MEM_HOTADD_RESERVE"])
        cpus = max(asked.machine.cpus, SMP_CPUS if self.flavour.smp else 1)
        machine = replace(asked.machine, cpus=cpus)
        return replace(asked, machine=machine, kernel=replace(built, reserve=reserve))

    @cached_property
    def kernel(self) -> Kernel:
        asked = self.kernel_request
        with self.stage("kernel"):
            made = build_kernel(asked, self.progress)
        return self.ended(made, made.stage)

    @cached_property
    def modules_request(self) -> ModulesRequest:
        asked = self.request
        return ModulesRequest(self.kernel, self.toolchain, asked.testing, asked.renew)

    @cached_property
    def modules(self) -> Modules:
        asked = self.modules_request
        with self.stage("modules"):
            made = build_modules(asked, self.progress)
        return self.ended(made, made.stage)

    @cached_property
    def programs(self) -> Programs:
        with self.stage("programs"):
            made = build_programs(self.progress, self.request.renew)
        return self.ended(made, made.stage)

    def check_needs(self, booting: bool) -> None:
        """Look for mistakes, then for every program, before minutes go into a kernel.

        Raises UserError and MissingNeed.
        """
        self.flavour  # noqa: B018 - asking tells
        self.asked_scenario  # noqa: B018
        known = [("make", "make"), ("patch", "patch"), (COMPILER, PACKAGE)]
        if booting:
            loader_files()
            known += [("xorriso", "xorriso"), (qemu.PROGRAM, qemu.PACKAGE)]
        for program, package in known:
            find(program, package)
        find_toolchain(self.request.toolchain)

    @cached_property
    def boot_request(self) -> TreeBoot:
        """The patched kernel, our modules for it, and the guest's programs."""
        self.check_needs(booting=True)
        kernel = self.kernel
        return TreeBoot(
            kernel=kernel.image,
            system_map=kernel.system_map,
            layout=kernel.layout,
            release=kernel.release,
            modules=self.modules.content(),
            programs=self.programs.content(),
            scenario=self.scenario,
            out=self.logs / "boot",
            cpus=SMP_CPUS if self.flavour.smp else 1,
        )

    @cached_property
    def booted(self) -> BootResult:
        asked = self.boot_request
        with self.stage("boot"):
            made = boot_tree(asked, self.progress)
        return self.ended(made, made.stage)

    def compare(self, console: str, booted: BootResult) -> Comparison:
        return compare(self.scenario, console, booted.report, booted.seen)

    @property
    def artifacts(self) -> tuple[Path, ...]:
        """What a build makes: kernel, configuration, modules, programs."""
        self.check_needs(booting=False)
        kernel = self.kernel
        made = (kernel.image, kernel.vmlinux, kernel.system_map, kernel.config)
        return (*made, *self.modules.paths, *self.programs.paths)

    def plan(self) -> tuple[Planned, ...]:
        """What a run would do, and what the cache holds; builds and boots nothing."""
        renew, flavour = self.request.renew, self.flavour
        there = series_folder(self.source, SERIES_RESERVE_MB).is_dir() and not renew
        built = there and kernel_folder(self.kernel_request).is_dir()
        modules = built and modules_folder(self.modules_request).is_dir() and not renew
        words = f"{'smp' if flavour.smp else 'up'}, HIGHMEM{flavour.highmem}, {self.toolchain.name}"
        return (
            Planned("patch", f"render the series for {self.source.root.name}", there),
            Planned("kernel", f"patch a copy, configure, build: {words}", built),
            Planned("modules", "compile HAM against the kernel's headers", modules),
            Planned("programs", "compile the guest's programs for static i386", programs_folder().is_dir()),
            Planned("boot", f"boot from a CD in QEMU, scenario {self.asked_scenario.name}", False),
            Planned("prove", "hold every step against the model", False),
        )
