"""What the tree makes of ``mem=``, and the tables that its watermarks come from."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Tree
from hamkit.kernel.probes.pages import PAGE_ALLOC
from hamkit.kernel.probing import Probe, Seen

SETUP = "arch/i386/kernel/setup.c"
NONE = "none"


def mem_option(tree: Tree) -> Seen:
    """Whether ``mem=`` limits the BIOS's map or replaces it."""
    found = tree.source(SETUP).search(r"\blimit_regions\s*\(")
    return Seen.at("limit", found) if found else Seen("replace", SETUP)


def table(name: str) -> Probe:
    """The numbers of an array in the page allocator, in one word a number."""

    def look(tree: Tree) -> Seen:
        found = tree.source(PAGE_ALLOC).search(rf"^.*\b{name}\s*\[[^;{{]*=\s*\{{[^}}]*\}}")
        if found is None:
            return Seen(NONE, PAGE_ALLOC)
        numbers = re.findall(r"\d+", found.text[found.text.index("{") :])
        return Seen.at(" ".join(numbers) or NONE, found)

    return Probe(name, name.replace("_", " "), look)


PROBES = (
    Probe("mem_option", "mem= and the BIOS's map", mem_option),
    table("zone_balance_ratio"),
    table("zone_balance_min"),
    table("zone_balance_max"),
    table("lower_zone_reserve_ratio"),
)
