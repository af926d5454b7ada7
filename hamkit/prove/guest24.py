"""What a 2.4 guest finds on its CD: programs, modules, and the plan that its first process follows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from hamkit.errors import Failure
from hamkit.model.scenario import Scenario
from hamkit.prove import plan
from hamkit.prove.initramfs import Node, file, folder, link, program

REPORTS = ("/proc/meminfo", "/proc/iomem", "/proc/ham/status", "dmesg", "output")
FACTS = ("/proc/cpuinfo",)
FOLDERS = ("/dev", "/proc", "/mnt")
INIT, LINKER = "haminit", "insmod24"
LINKED = "/sbin/insmod"  # what the linker of modules goes by
MODULES = ("ham", "mhp_sim")


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
    placed = {name: f"/lib/modules/{release}/{name}.o" for name in modules}
    nodes: dict[str, Node] = {placed[name]: file(content) for name, content in modules.items()}
    places = {name: LINKED if name == LINKER else f"/bin/{name}" for name in programs}
    nodes |= {places[name]: program(content) for name, content in programs.items()}
    nodes |= {path: folder() for path in FOLDERS}
    nodes |= {"/sbin/init": link(f"../bin/{INIT}"), "/sbin/modprobe": link(f"../bin/{INIT}")}
    followed = plan.Plan(
        modules=placed,
        programs={PurePosixPath(path).name: path for path in places.values()},
        reports=REPORTS,
        facts=FACTS,
        steps=() if serve else scenario.steps,
        pause=not serve,
        serve=serve,
        reboot=True,
    )
    return nodes | {plan.PATH: file(plan.render(followed).encode())}
