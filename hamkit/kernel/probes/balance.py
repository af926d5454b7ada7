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


BITMAPS = {
    "blocks": r"\bbitmap_size\s*=\s*size\s*>>\s*i\s*;",
    "pairs": r"\bbitmap_size\s*=\s*size\s*>>\s*\(\s*i\s*\+\s*1\s*\)",
    "doubled": r"\bbitmap_size\s*\*=\s*2\s*;",
    "inclusive": r"\bbitmap_size\s*=\s*\(\s*size\s*-\s*1\s*\)\s*>>\s*\(\s*i\s*\+\s*4\s*\)",
}


def bitmap(tree: Tree) -> Seen:
    """How large the bitmap of an order is: see the model's ``Bitmap``."""
    source = tree.source(PAGE_ALLOC)
    seen = ((word, source.search(pattern)) for word, pattern in BITMAPS.items())
    return next((Seen.at(word, found) for word, found in seen if found), Seen(NONE, PAGE_ALLOC))


PROBES = (
    Probe("bitmap", "size of a zone's bitmaps", bitmap),
    Probe("mem_option", "mem= and the BIOS's map", mem_option),
    table("zone_balance_ratio"),
    table("zone_balance_min"),
    table("zone_balance_max"),
    table("lower_zone_reserve_ratio"),
)
