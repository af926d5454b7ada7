"""What a 2.4 guest finds on its CD: programs, modules, and the plan that its first process follows."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from hamkit.errors import Failure
from hamkit.model.extents import PAGE
from hamkit.model.scenario import RunStep, Scenario
from hamkit.prove import plan
from hamkit.prove.initramfs import Node, file, folder, link, program
from hamkit.scenarios import parse_size

REPORTS = ("/proc/meminfo", "/proc/iomem", "/proc/ham/status", "dmesg", "output")
FACTS = ("/proc/cpuinfo",)
FOLDERS = ("/dev", "/proc", "/mnt")
INIT, LINKER = "haminit", "insmod24"
LINKED = "/sbin/insmod"  # what the linker of modules goes by
DATA = "/data"
WORD = (1 << 64) - 1
SWAP_HEADER, SWAP_SIGNATURE = 1024, b"SWAPSPACE2"
MODULES = ("ham", "mhp_sim")


@dataclass(frozen=True)
class Root:
    """The guest's root filesystem: path to node; and where modules and programs are in it, by name."""

    nodes: Mapping[str, Node]
    modules: Mapping[str, str]
    programs: Mapping[str, str]

    @classmethod
    def of(cls, release: str, modules: Mapping[str, bytes], programs: Mapping[str, bytes]) -> Root:
        """With modules and programs, by name, in their places."""
        placed = {name: f"/lib/modules/{release}/{name}.o" for name in modules}
        nodes: dict[str, Node] = {placed[name]: file(content) for name, content in modules.items()}
        places = {name: LINKED if name == LINKER else f"/bin/{name}" for name in programs}
        nodes |= {places[name]: program(content) for name, content in programs.items()}
        nodes |= {path: folder() for path in FOLDERS}
        nodes |= {"/sbin/init": link(f"../bin/{INIT}"), "/sbin/modprobe": link(f"../bin/{INIT}")}
        return cls(nodes, placed, {PurePosixPath(path).name: path for path in places.values()})

    def following(self, followed: plan.Plan) -> dict[str, Node]:
        """All of it, with the plan where the first process looks for it."""
        return {**self.nodes, plan.PATH: file(plan.render(followed).encode())}


def files(
    release: str,
    modules: Mapping[str, bytes],
    programs: Mapping[str, bytes],
    scenario: Scenario,
    serve: bool = False,
) -> dict[str, Node]:
    """Path on the CD to node. ``serve``: the guest does what it is asked for, not the scenario's steps.

    Raises Failure when something that the scenario needs is not there.
    """
    wanted = {INIT, LINKER, *plan.needed_programs(scenario.steps)}
    lacking = sorted(wanted - set(programs)) + [f"{name}.o" for name in MODULES if name not in modules]
    if lacking:
        raise Failure(f"ham-src built no {', '.join(lacking)}", "the scenario needs it in the guest")
    root = Root.of(release, modules, programs)
    followed = plan.Plan(
        modules=root.modules,
        programs=root.programs,
        reports=REPORTS,
        facts=FACTS,
        steps=() if serve else scenario.steps,
        pause=not serve,
        serve=serve,
        reboot=True,
    )
    return root.following(followed) | _data(scenario)


def swap_disk(size: int) -> bytes:
    """The first page of a disk of that many bytes to swap to, as ``mkswap`` writes it; the rest is empty."""
    header = struct.pack("<III", 1, size // PAGE - 1, 0)  # version, last page, bad pages
    page = bytes(SWAP_HEADER) + header
    return page + bytes(PAGE - len(page) - len(SWAP_SIGNATURE)) + SWAP_SIGNATURE


def _data(scenario: Scenario) -> dict[str, Node]:
    """The file that ``memwork read`` reads, as long as any step wants it."""
    words = [step.words for step in scenario.steps if isinstance(step, RunStep)]
    sizes = [parse_size(w[3]) for w in words if w[:3] == ("memwork", "read", DATA)]
    if not sizes:
        return {}
    return {DATA: file(b"".join(_page(number) for number in range(max(sizes) // PAGE)))}


def _page(number: int) -> bytes:
    """A page with memfill's words: one in 64 bytes, made from the page's number (ham-src/proof/fill.c)."""
    seed = (number + 1) * 0x9E3779B97F4A7C15 & WORD
    seed = (seed ^ seed >> 29) * 0xBF58476D1CE4E5B9 & WORD
    seed ^= seed >> 32
    return b"".join(struct.pack("<Q56x", seed + line * 8 & WORD) for line in range(PAGE // 64))
