"""The guest of a mainline kernel: what our packages install, and the plan of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hamkit.errors import Failure
from hamkit.model.scenario import Scenario
from hamkit.prove import plan
from hamkit.prove.initramfs import Node, character_device, cpio, file, folder, link, program

SEARCH_PATH = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/libexec/ham")
INIT = "haminit"
MODULES = ("ham", "mhp_sim")
SERVED = ("hamctl",)  # what a guest that is asked for steps may need
REPORTS = ("/proc/meminfo", "/proc/zoneinfo", "/proc/iomem", "/proc/ham/status", "blocks", "dmesg", "output")
FACTS = ("/proc/cpuinfo",)


def image(release: str, files: Mapping[str, bytes], scenario: Scenario, serve: bool = False) -> bytes:
    """The initramfs, as a cpio archive.

    ``files`` maps a path in the guest to content: modules below ``/lib/modules/<release>``,
    hamctl and the proof programs anywhere on the search path. ``serve``: the guest does what it is
    asked for, not the scenario's steps. Raises Failure when something that it needs is not among them.
    """
    init = _program(files, INIT)
    nodes = {
        "/init": link(init),
        "/sbin/modprobe": link(init),  # where the kernel's request_module() looks
        "/dev/console": character_device(5, 1),
        "/proc": folder(),
        "/sys": folder(),
        plan.PATH: file(scenario_plan(release, files, scenario, serve).encode()),
    }
    return cpio(nodes | {path: _node(content) for path, content in files.items()})


def scenario_plan(release: str, files: Mapping[str, bytes], scenario: Scenario, serve: bool = False) -> str:
    """The plan's text. Raises Failure when a module or program is not in ``files``."""
    programs = {*plan.needed_programs(scenario.steps), *(SERVED if serve else ())}
    return plan.render(
        plan.Plan(
            modules={name: _module(release, files, name) for name in MODULES},
            programs={name: _program(files, name) for name in programs},
            reports=REPORTS,
            facts=FACTS,
            steps=() if serve else scenario.steps,
            serve=serve,
        )
    )


def _program(files: Mapping[str, bytes], name: str) -> str:
    found = next((f"{place}/{name}" for place in SEARCH_PATH if f"{place}/{name}" in files), None)
    if found is None:
        raise Failure(
            f"the scenario needs {name}, which no package installs into the guest",
            f"packages may install it into {', '.join(SEARCH_PATH)}",
        )
    return found


def _module(release: str, files: Mapping[str, bytes], name: str) -> str:
    root = f"/lib/modules/{release}/"
    found = sorted(p for p in files if p.startswith(root) and PurePosixPath(p).name == f"{name}.ko")
    if not found:
        raise Failure(
            f"the packages hold no {name}.ko for the kernel {release}", "build them for this kernel"
        )
    return found[0]


def _node(content: bytes) -> Node:
    """ELF programs and scripts are executable; a module is ELF too, and harmless so."""
    return program(content) if content.startswith((b"\x7fELF", b"#!")) else file(content)
