"""A 2.4 kernel's ``.config`` as a value, and ``make oldconfig`` answered with defaults.

2.4's configuration language has no ``olddefconfig``, and what a tree does not know it drops without a
word; so what was requested is held against what came out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from hamkit.errors import UserError
from hamkit.kernel.csource import ENCODING

SET = re.compile(r"(CONFIG_\w+)=(.*)")
UNSET = re.compile(r"# (CONFIG_\w+) is not set")
VALUE = re.compile(r'[ynm]|-?\d+|0x[0-9a-fA-F]+|"[^"]*"|[0-9a-fA-F]+')
QUESTION = re.compile(
    r"^\s*(?:dep_m?)?(bool|tristate|int|hex|string)\s+(?:'[^']*'|\"[^\"]*\")\s+(CONFIG_\w+)", re.MULTILINE
)
FITTING = {
    "bool": re.compile(r"[yn]"),
    "tristate": re.compile(r"[ynm]"),
    "int": re.compile(r"-?\d+|n"),
    "hex": re.compile(r"(?:0x)?[0-9a-fA-F]+|n"),
    "string": re.compile(r'"[^"]*"|n'),
}
CONFIG_FILES = ("Config.in", "config.in", "config-shared.in")
OFF = "n"


@dataclass(frozen=True)
class Difference:
    """An option that is not as requested; ``known`` is whether the tree asks for it at all."""

    name: str
    requested: str
    effective: str
    known: bool

    def __str__(self) -> str:
        if not self.known:
            return f"{self.name}={self.requested}: this tree has no such option"
        return f"{self.name}={self.requested} came out as {self.effective}"


@dataclass(frozen=True)
class Config:
    """Options by name (with CONFIG_) as written: ``y``, ``m``, ``n``, a number, or a quoted string."""

    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __getitem__(self, name: str) -> str:
        """An option's value; ``n`` for one that is not there, as the kernel sees it."""
        return self.options.get(name, OFF)

    def merged(self, other: Config) -> Config:
        """This configuration with another's options on top."""
        return Config({**self.options, **other.options})

    def is_subset_of(self, effective: Config) -> bool:
        """Whether everything requested here holds there."""
        return not self.differences(effective, frozenset())

    def differences(self, effective: Config, known: frozenset[str]) -> tuple[Difference, ...]:
        """What holds here and not there. ``known``: the names that the tree asks for."""
        return tuple(
            Difference(name, value, effective[name], name in known)
            for name, value in sorted(self.options.items())
            if effective[name] != value
        )

    def text(self) -> str:
        """As a ``.config`` file, sorted by name."""
        lines = (
            f"# {name} is not set\n" if value == OFF else f"{name}={value}\n"
            for name, value in sorted(self.options.items())
        )
        return "".join(lines)


def parse(text: str, name: str = "configuration") -> Config:
    """Read a ``.config`` or a fragment of one.

    Raises UserError naming every line that is neither an option nor a comment.
    """
    options: dict[str, str] = {}
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        unset, assigned = UNSET.fullmatch(line.rstrip()), SET.fullmatch(line.rstrip())
        if unset:
            options[unset[1]] = OFF
        elif assigned and VALUE.fullmatch(assigned[2]):
            options[assigned[1]] = assigned[2]
        elif line.strip() and not line.startswith("#"):
            faults.append(f"{name}:{number}: {line.strip()!r} is no option")
    if faults:
        raise UserError("; ".join(faults), "write CONFIG_NAME=value or # CONFIG_NAME is not set")
    return Config(options)


def misfits(config: Config, root: Path) -> tuple[str, ...]:
    """Options whose value is not of the kind that the tree asks for: its script would ask for ever."""
    kinds: dict[str, set[str]] = {}
    for path in _config_files(root):
        for kind, name in QUESTION.findall(path.read_text(encoding=ENCODING)):
            kinds.setdefault(name, set()).add(kind)
    return tuple(
        f"{name}={value}: the tree asks for {' or '.join(sorted(kinds[name]))}"
        for name, value in sorted(config.options.items())
        if name in kinds and not any(FITTING[kind].fullmatch(value) for kind in kinds[name])
    )


def known_options(root: Path) -> frozenset[str]:
    """Every option that the tree's configuration files for i386 name."""
    found: set[str] = set()
    for path in _config_files(root):
        found.update(re.findall(r"\bCONFIG_\w+", path.read_text(encoding=ENCODING)))
    return frozenset(found)


def _config_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*onfig*.in"):
        parts = path.relative_to(root).parts
        if path.name in CONFIG_FILES and (parts[0] != "arch" or parts[1] == "i386"):
            yield path
