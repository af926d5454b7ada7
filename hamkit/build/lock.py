"""A lock: the packages of a build image with their versions, to be installed as they were.

It is what an image records of itself and a release ships (build-environment.txt): a line a package, name,
version, architecture. No archive keeps every version for ever, so no lock is in force unless it is asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hamkit.errors import Failure, MissingNeed, UserError
from hamkit.files import digest_file, read_given
from hamkit.render.dockerfile import Kind
from hamkit.specs import Spec

LINE = re.compile(r"([a-z0-9][a-z0-9+.-]*) ([A-Za-z0-9.+:~-]+) ([a-z0-9-]+)")
LARGEST = 1 << 20  # bytes
NATIVE = ("amd64", "all")
GONE = re.compile(r"Version '([^']+)' for '([^']+)' was not found|Unable to locate package (\S+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # of what went to standard error, which comes in pieces
SHOWN = 5


@dataclass(frozen=True)
class Lock:
    """``packages``: name, version and architecture as dpkg tells them; ``digest`` of the file, SHA-256."""

    path: Path
    digest: str
    packages: tuple[tuple[str, str, str], ...]

    @property
    def pins(self) -> tuple[str, ...]:
        """What apt-get is told to install."""
        return tuple(
            f"{name}={version}" if arch in NATIVE else f"{name}:{arch}={version}"
            for name, version, arch in self.packages
        )


def load(path: Path) -> Lock:
    """Read a lock. Raises UserError naming the first line that is none."""
    hint = "give the build-environment.txt of a release, or what invoke image --write-lock FILE wrote"
    try:
        lines = read_given(path, LARGEST).decode("utf-8").splitlines()
    except (OSError, ValueError) as bad:
        why = bad.strerror if isinstance(bad, OSError) else "it is no text"
        raise UserError(f"cannot read the lock {path}: {why}", hint) from bad
    packages = []
    for number, line in enumerate(lines, 1):
        found = LINE.fullmatch(line)
        if found is None:
            raise UserError(f"{path}: line {number} is no package with version and architecture", hint)
        packages.append((found[1], found[2], found[3]))
    if not packages:
        raise UserError(f"the lock {path} is empty", hint)
    return Lock(path, digest_file(path, "sha256"), tuple(packages))


def fits(lock: Lock, spec: Spec, kind: Kind) -> None:
    """Raises UserError when the lock cannot be of this distribution's image: it lacks what that installs."""
    if kind == "userland" or (kind == "own" and spec.distribution.family != "debian"):
        raise UserError(f"the image of {spec.name} is not made by apt: no lock fits it", "leave --lock out")
    wanted = spec.image.packages if kind == "own" else spec.image.style_packages
    names = {name for name, _, _ in lock.packages}
    lacking = [package for package in wanted if package.partition(":")[0] not in names]
    if lacking:
        raise UserError(
            f"the lock {lock.path} is of another image: it has no {', '.join(lacking[:SHOWN])}",
            f"give one of {spec.name}",
        )


def explained(failure: Failure, lock: Lock, spec: Spec, log: Path) -> Failure | MissingNeed:
    """Why an image with a lock did not build: the versions that the archive no longer has, in one line."""
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    last = said.rpartition("Step 1/")[2]
    gone = list(
        dict.fromkeys(f"{m[2] or m[3]} {m[1] or ''}".strip() for m in GONE.finditer(COLOUR.sub("", last)))
    )
    if not gone:
        return failure
    more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
    return MissingNeed(
        f"the package archive no longer has {', '.join(gone[:SHOWN])}{more}, which {lock.path} asks for",
        "name an archive that has them with --mirror URL, or renew the lock: "
        f"invoke image --distro {spec.name} --renew --write-lock {lock.path}",
    )


def held(lock: Lock, installed: Path, spec: Spec) -> None:
    """Raises Failure when an image does not hold the lock's packages, all of them and no other."""
    have = {tuple(line.split()) for line in installed.read_text(encoding="utf-8").splitlines()}
    wanted = set(lock.packages)
    wrong = [f"{name} {version} is not in it" for name, version, _ in sorted(wanted - have)]
    wrong += [f"{' '.join(line[:2])} is in it" for line in sorted(have - wanted)]
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise Failure(
            f"the image of {spec.name} is not as the lock {lock.path} says: {'; '.join(wrong[:SHOWN])}{more}",
            f"renew both: invoke image --distro {spec.name} --renew --write-lock {lock.path}",
        )
