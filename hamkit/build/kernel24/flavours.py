"""The kernels that HAM is proved on: a tree's flavours with hot-add configured, by name."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import get_args

from hamkit.build.kernel24.build import Flavour, Highmem
from hamkit.errors import UserError
from hamkit.kernel.facts import KernelFacts

FLAVOURS = MappingProxyType({"up": False, "smp": True})  # name to: more than one processor
HIGHMEM: tuple[Highmem, ...] = ("4G", "64G")
OPTION = "CONFIG_MEM_HOTADD"
IDE = re.compile(r"_IDE|PIIX")


def hotadd_flavour(
    facts: KernelFacts,
    name: str = "",
    highmem: str = "",
    reserve_mb: int = 128,
    modversions: bool = False,
) -> Flavour:
    """A flavour with hot-add: ``up`` where no name is given, PAE where the stock kernel bears it.

    ``reserve_mb``: the window of kernel address space that is reserved at boot, MiB. Raises UserError.
    """
    name = name or "up"
    if name not in FLAVOURS:
        raise UserError(f"no flavour is called {name!r}", f"choose one of {', '.join(FLAVOURS)}")
    options = {
        OPTION: "y",
        f"{OPTION}_RESERVE": str(reserve_mb),
        "CONFIG_KMOD": "y",  # an MHP driver lets the kernel load HAM
    }
    if modversions:
        options["CONFIG_MODVERSIONS"] = "y"
    return Flavour(_highmem(facts, highmem), FLAVOURS[name], options=MappingProxyType(options))


def bears_pae(facts: KernelFacts) -> bool:
    """Whether the stock kernel runs with three-level page tables, added memory or not."""
    return bool(facts["pae_top_level"] != "empty_page")


def _highmem(facts: KernelFacts, given: str) -> Highmem:
    if not given:
        return "64G" if bears_pae(facts) else "4G"
    for known in HIGHMEM:
        if given.upper() == known:
            return known
    reason = ": added memory is high memory" if given.lower() in ("none", "no", "off") else ""
    allowed = " or ".join(word for word in get_args(Highmem) if word in HIGHMEM)
    raise UserError(f"--highmem {given} cannot be{reason}", f"choose {allowed}")


def stock_flavour(hotadd: Flavour, highmem: Highmem | None = None) -> Flavour:
    """The same configuration without hot-add; with other high memory support, if given."""
    options = {name: value for name, value in hotadd.options.items() if not name.startswith(OPTION)}
    return Flavour(highmem or hotadd.highmem, hotadd.smp, hotadd.modules, MappingProxyType(options))


def counting_flavour(flavour: Flavour) -> Flavour:
    """The same without IDE. Its probes wait in loops that read the time-stamp counter, which takes minutes
    in a machine that counts instructions."""
    without = {name: "n" for name in flavour.requested().options if IDE.search(name)}
    return replace(flavour, options=MappingProxyType({**flavour.options, **without}))
