"""What the machine has of what the tasks need, and what each missing thing disables."""

from __future__ import annotations

import os
import re
import shutil
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hamkit.build.engine import Engine, EngineErrors
from hamkit.errors import HamkitError
from hamkit.files import cache_root, project_root
from hamkit.run import SYSTEM_PATH, install_hint, run

TASKS = (
    "doctor", "specs", "facts", "patch", "image", "srpm", "check", "build", "boot", "judge",
    "model", "fuzz", "matrix", "compare", "reproduce", "release", "sign", "verify", "version.bump", "shell",
    "bench", "test", "lint", "clean",
)  # fmt: skip
ANSWER_SECONDS = 2.0
FREE_GIB = 4
ENGINE_PACKAGE = "docker.io"
IMAGES = "hamkit/"
ROOTLESS_PACKAGE = "uidmap"
BASE_PACKAGES = ("mmdebstrap", ROOTLESS_PACKAGE, "debian-archive-keyring")  # of use until there is an image
REVISION = re.compile(r"^\d+:|-[^-]*$")  # epoch and distribution's revision
COLUMNS = ("name", "found", "version", "purpose", "without it fail", "remedy")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Need:
    """One thing that tasks need: ``disables`` are the tasks that fail without it."""

    name: str
    purpose: str
    found: bool
    version: str
    disables: tuple[str, ...]
    remedy: str


@dataclass(frozen=True)
class Package:
    """A line of ci/packages.txt. ``program`` is empty when only the package itself shows."""

    name: str
    program: str
    tasks: tuple[str, ...]
    purpose: str


def packages() -> list[Package]:
    """The system packages that tasks need, read from ci/packages.txt."""
    lines = (project_root() / "ci" / "packages.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split(maxsplit=3) for line in lines if line and not line.startswith("#")]
    return [
        Package(name, "" if program == "-" else program, tuple(tasks.split(",")), purpose)
        for name, program, tasks, purpose in rows
    ]


def diagnose() -> list[Need]:
    """Look at everything; what does not answer within two seconds counts as not found."""
    known = {package.name: package for package in packages()}
    tasks = known.pop(ENGINE_PACKAGE).tasks
    none: tuple[str, ...] = ()
    silent: Need | None = _no_network(tasks, "no answer in time")
    engine = _asked(lambda: _engine(tasks), (_no_engine(tasks, "no answer in time"), none))
    network = _asked(lambda: _network(tasks), silent)
    installed = _installed(list(known))
    if os.geteuid() == 0:
        del known[ROOTLESS_PACKAGE]
    service, images = engine()
    found = {name: _program(package, installed) for name, package in known.items()}
    mirror = network()
    if mirror is not None:
        found["network"] = mirror
    for name in (*BASE_PACKAGES, "network"):
        if images and name in found:
            found[name] = replace(found[name], disables=())
    return [service, *found.values(), _disk(tasks), _cached(images)]


def missing(task: str, needs: Iterable[Need]) -> list[Need]:
    """The needs of a task that are not met."""
    return [need for need in needs if not need.found and task in need.disables]


def can_run(task: str, needs: Iterable[Need]) -> bool:
    """Is everything there that the task needs?"""
    return not missing(task, needs)


def summary(needs: Sequence[Need]) -> str:
    """One line: what is missing, and which tasks still work."""
    absent = [need.name for need in needs if not need.found and need.disables]
    if not absent:
        return "Nothing is missing: every task can run."
    works = [task for task in TASKS if can_run(task, needs)]
    return f"Missing: {', '.join(absent)}. Still work: {', '.join(works)}."


def rows(needs: Iterable[Need]) -> list[tuple[str, ...]]:
    """The needs as a table of COLUMNS."""
    return [
        (
            need.name,
            "yes" if need.found else "no",
            need.version,
            need.purpose,
            "" if need.found else ", ".join(need.disables),
            need.remedy,
        )
        for need in needs
    ]


def _asked(ask: Callable[[], Answer], fallback: Answer) -> Callable[[], Answer]:
    """Ask from a thread, as a dead resolver holds its caller up; the result waits for the answer."""
    answer = [fallback]
    until = time.monotonic() + ANSWER_SECONDS

    def work() -> None:
        answer[0] = ask()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def wait() -> Answer:
        thread.join(max(0.0, until - time.monotonic()))
        return answer[0]

    return wait


def _installed(names: Sequence[str]) -> dict[str, str] | None:
    """Upstream version of each installed package; None where there is no dpkg."""
    if shutil.which("dpkg-query", path=SYSTEM_PATH) is None:
        return None
    form = "${db:Status-Abbrev} ${Package} ${Architecture} ${Version}\\n"
    listed = run(["dpkg-query", "-W", "-f", form, *names], check=False)
    rows = [line.split() for line in listed.stdout.splitlines()]
    good = [(row[1:3], REVISION.sub("", row[3])) for row in rows if len(row) == 4 and row[0] == "ii"]
    return {name: version for words, version in good for name in (words[0], ":".join(words))}


def _program(package: Package, installed: dict[str, str] | None) -> Need:
    version = (installed or {}).get(package.name)
    by_program = bool(package.program) and shutil.which(package.program, path=SYSTEM_PATH) is not None
    found = by_program or version is not None or (not package.program and installed is None)
    remedy = "" if found else install_hint(package.name)
    name = package.program or package.name
    return Need(name, package.purpose, found, version or "", package.tasks, remedy)


def _engine(tasks: tuple[str, ...]) -> tuple[Need, tuple[str, ...]]:
    """The engine, and the build images that it has."""
    try:
        engine = Engine.connect()
        tags = (tag for image in engine.client.images.list() for tag in image.tags)
        images = tuple(sorted(tag for tag in tags if tag.startswith(IMAGES)))
        need = replace(_no_engine(tasks, ""), found=True, version=engine.version, remedy="")
    except HamkitError as bad:
        return _no_engine(tasks, bad.message), ()
    except EngineErrors as bad:
        return _no_engine(tasks, str(bad)), ()
    return need, images


def _no_engine(tasks: tuple[str, ...], why: str) -> Need:
    if shutil.which("dockerd", path=SYSTEM_PATH):
        remedy = 'run the task through ./bootstrap, or first: eval "$(ci/engine start)"'
    else:
        remedy = f"apt-get install {ENGINE_PACKAGE}, or set DOCKER_HOST"
    return Need("Docker Engine", "runs the build images", False, why, tasks, remedy)


def _network(tasks: tuple[str, ...]) -> Need | None:
    """The package mirror that apt is set up with, or its proxy; None where apt uses no network."""
    if shutil.which("apt-get", path=SYSTEM_PATH) is None:
        return None
    listed = run(["apt-get", "update", "--print-uris"], check=False).stdout  # asks nothing, changes nothing
    sites = re.findall(r"^'(https?://[^']+)'", listed, re.MULTILINE)
    proxy = os.environ.get("http_proxy") or _apt_proxy()
    urls = [urllib.parse.urlsplit(url) for url in ([proxy] if proxy else sites)]
    places = sorted(
        {(u.hostname, u.port or (443 if u.scheme == "https" else 80)) for u in urls if u.hostname}
    )
    for host, port in places:
        try:
            socket.create_connection((host, port), timeout=ANSWER_SECONDS).close()
        except OSError as bad:
            return _no_network(tasks, f"{host}: {bad.strerror or bad}")
    return replace(_no_network(tasks, ""), found=True, remedy="") if places else None


def _apt_proxy() -> str:
    said = run(["apt-config", "dump", "--format", "%v%n", "Acquire::http::Proxy"], check=False).stdout.strip()
    return "" if said.upper() == "DIRECT" else said


def _no_network(tasks: tuple[str, ...], why: str) -> Need:
    remedy = "connect to the package mirror; images and kernels made earlier work without"
    return Need("network", "brings the first image and its kernels", False, why, tasks, remedy)


def _disk(tasks: tuple[str, ...]) -> Need:
    place = cache_root()
    free = shutil.disk_usage(place).free / (1 << 30)
    remedy = "" if free >= FREE_GIB else f"free {FREE_GIB} GiB there, or set HAM_CACHE to a larger place"
    return Need(f"space in {place}", "images and kernels", not remedy, f"{free:.1f} GiB", tasks, remedy)


def _cached(images: Sequence[str]) -> Need:
    """For information: no task fails for want of an image, it makes one."""
    remedy = "" if images else "invoke image --distro NAME makes one"
    return Need("build images", "work without network", bool(images), " ".join(images), (), remedy)
