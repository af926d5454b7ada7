"""The guest: a distribution's busybox, what our packages install, and an init that runs a scenario."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import assert_never

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hamkit.errors import Failure
from hamkit.files import project_root
from hamkit.model.scenario import AbuseStep, AddStep, FaultStep, RetryStep, Scenario, Step, UseStep
from hamkit.prove.initramfs import Node, character_device, cpio, file, folder, link, program

APPLETS = ("cat", "dmesg", "insmod", "mkdir", "mount", "poweroff", "rmmod", "sh", "sleep", "true")
SEARCH_PATH = ("/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/libexec/ham")
DEVICES = {"console": (5, 1), "kmsg": (1, 11), "null": (1, 3), "ttyS0": (4, 64), "ttyS1": (4, 65)}
MODULES = ("ham", "mhp_sim")
DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")


def image(release: str, busybox: bytes, files: Mapping[str, bytes], scenario: Scenario) -> bytes:
    """The initramfs, as a cpio archive.

    ``files`` maps a path in the guest to content: modules below ``/lib/modules/<release>``,
    hamctl and the proof programs anywhere on the search path. Raises Failure when
    something that the scenario needs is not among them.
    """
    nodes = base(busybox, render_init(release, files, scenario))
    nodes |= {path: _node(content) for path, content in files.items()}
    nodes[f"/lib/modules/{release}/modules.dep"] = file(module_dependencies(release, files).encode())
    return cpio(nodes)


def base(busybox: bytes, init: str) -> dict[str, Node]:
    """What any guest has: busybox with its applets, device nodes, mount points and an init."""
    nodes = {"/bin/busybox": program(busybox), "/init": program(init.encode())}
    nodes |= {f"/bin/{applet}": link("busybox") for applet in APPLETS}
    nodes["/sbin/modprobe"] = link("../bin/busybox")  # where the kernel's request_module() looks
    nodes |= {f"/dev/{name}": character_device(*number) for name, number in DEVICES.items()}
    return nodes | {path: folder() for path in ("/proc", "/sys")}


def render_init(release: str, files: Mapping[str, bytes], scenario: Scenario) -> str:
    """The init script. Raises Failure when a module or program is not in ``files``."""
    modules = {name: _module(release, files, name) for name in MODULES}
    for needed in sorted({need for step in scenario.steps for need in _programs(step)}):
        _need_program(files, needed)
    environment = Environment(
        loader=FileSystemLoader(project_root() / "templates" / "guest"),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a shell script; words are quoted by shlex
    )
    return environment.get_template("init.sh.j2").render(
        scenario=scenario,
        path=":".join(SEARCH_PATH),
        mhp_sim=modules["mhp_sim"],
        steps=[_words(step) for step in scenario.steps],
    )


def _words(step: Step) -> list[str]:
    """A step as shell words: label, action, arguments."""
    match step:
        case AddStep(start=start, size=size, attr=attr):
            arguments = [f"{start:#x}", f"{size:#x}", attr.value]
        case UseStep(size=size):
            arguments = [str(size)]
        case FaultStep(count=count):
            arguments = [str(count)]
        case RetryStep() | AbuseStep():
            arguments = []
        case _:
            assert_never(step)
    return [shlex.quote(word) for word in (step.label, step.action, *arguments)]


def _programs(step: Step) -> tuple[str, ...]:
    match step:
        case UseStep():
            return ("memfill",)
        case AbuseStep():
            return ("hamabuse",)
        case FaultStep():
            return ()
        case _:
            return ("hamctl",)


def _need_program(files: Mapping[str, bytes], name: str) -> None:
    if not any(f"{folder_name}/{name}" in files for folder_name in SEARCH_PATH):
        raise Failure(
            f"the scenario needs {name}, which no package installs into the guest",
            f"packages may install it into {', '.join(SEARCH_PATH)}",
        )


def _module(release: str, files: Mapping[str, bytes], name: str) -> str:
    root = f"/lib/modules/{release}/"
    found = sorted(p for p in files if p.startswith(root) and PurePosixPath(p).name == f"{name}.ko")
    if not found:
        raise Failure(
            f"the packages hold no {name}.ko for the kernel {release}", "build them for this kernel"
        )
    return found[0]


def module_dependencies(release: str, files: Mapping[str, bytes]) -> str:
    """modules.dep: one line a module, with the modules that its own section says it depends on."""
    root = f"/lib/modules/{release}/"
    modules = {PurePosixPath(p).stem: p for p in files if p.startswith(root) and p.endswith(".ko")}
    lines = []
    for name, path in sorted(modules.items()):
        match = DEPENDS.search(files[path])
        wanted = [w for w in match[1].decode().split(",") if w] if match else []
        known = [modules[w].removeprefix(root) for w in wanted if w in modules and w != name]
        lines.append(" ".join([f"{path.removeprefix(root)}:", *known]) + "\n")
    return "".join(lines)


def _node(content: bytes) -> Node:
    """ELF programs and scripts are executable; a module is ELF too, and harmless so."""
    return program(content) if content.startswith((b"\x7fELF", b"#!")) else file(content)
