"""Facts about a 2.4 i386 kernel tree, probed from its code and never inferred from its version.

``probe`` looks; ``KernelFacts`` is what it saw, each fact with the place that shows it, and what makes
the tree unsupported, in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamkit.errors import UserError
from hamkit.kernel.csource import Tree
from hamkit.kernel.identify import Identity, identify
from hamkit.kernel.probes import CAVEATS, PROBES, REASONS, UNBUILDABLE
from hamkit.kernel.probing import Unknown, Value

COLUMNS = ("fact", "value", "file", "line")


@dataclass(frozen=True)
class Fact:
    """One fact: ``value`` is a word of the probe's vocabulary, a number or a yes/no.

    ``file`` (from the tree's root) and ``line`` show it; line 0 means that the file was looked through
    and holds no such thing.
    """

    name: str
    title: str
    value: Value
    file: str
    line: int


@dataclass(frozen=True)
class KernelFacts:
    """All facts of one tree. ``unsupported``: why hot-add cannot be patched in (empty when it can);
    ``caveats``: what a user has to know all the same; ``unbuildable``: why the tree, patched or not, does
    not compile for i386, as far as that can be seen."""

    identity: Identity
    facts: Mapping[str, Fact]
    unsupported: tuple[str, ...]
    caveats: tuple[str, ...]
    unbuildable: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Value:
        """A fact's value. Raises UserError when its probe failed (see ``unsupported``)."""
        fact = self.facts.get(name)
        if fact is None:
            raise UserError(
                f"the tree does not tell {name}", "; ".join(self.unsupported) or "no probe has that name"
            )
        return fact.value

    @property
    def values(self) -> dict[str, Value]:
        """Name to value, as templates want it."""
        return {name: fact.value for name, fact in self.facts.items()}

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The facts as a table of COLUMNS."""
        return [
            (fact.title, shown(fact.value), fact.file, str(fact.line or "-")) for fact in self.facts.values()
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON types."""
        return {
            "version": self.identity.version,
            "release": self.identity.release,
            "vendor": self.identity.vendor,
            "traits": list(self.identity.traits),
            "facts": {
                name: {"value": fact.value, "file": fact.file, "line": fact.line}
                for name, fact in self.facts.items()
            },
            "unsupported": list(self.unsupported),
            "caveats": list(self.caveats),
            "unbuildable": list(self.unbuildable),
        }


def probe(root: Path) -> KernelFacts:
    """Probe a tree. Raises UserError when it is no 2.4 i386 tree at all."""
    identity = identify(root)
    tree = Tree(root)
    facts: dict[str, Fact] = {}
    unsupported: list[str] = []
    for item in PROBES:
        try:
            seen = item.look(tree)
        except Unknown as unknown:
            unsupported.append(str(unknown))
            continue
        facts[item.name] = Fact(item.name, item.title, seen.value, seen.file, seen.line)
    values = {name: fact.value for name, fact in facts.items()}
    unsupported += [reason for check in REASONS if (reason := check(values))]
    caveats = tuple(caveat for check in CAVEATS if (caveat := check(values)))
    unbuildable = tuple(reason for check in UNBUILDABLE if (reason := check(values)))
    return KernelFacts(identity, facts, tuple(dict.fromkeys(unsupported)), caveats, unbuildable)


def shown(value: Value) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
