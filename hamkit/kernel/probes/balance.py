"""What the tree makes of ``mem=``, and the tables that its watermarks come from."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Tree
from hamkit.kernel.probes.pages import PAGE_ALLOC
from hamkit.kernel.probing import Probe, Seen

SETUP = "arch/i386/kernel/setup.c"
INIT = "arch/i386/mm/init.c"
NONE = "none"
FIXED = "16 MB"
BRANCHES = r"^#[ \t]*if(?:def)?\b.*\n(?:[^#\n].*\n|\n)+#[ \t]*else\b.*\n(?:[^#\n].*\n|\n)+#[ \t]*endif"


def mem_option(tree: Tree) -> Seen:
    """Whether ``mem=`` limits the BIOS's map or replaces it."""
    found = tree.source(SETUP).search(r"\blimit_regions\s*\(")
    return Seen.at("limit", found) if found else Seen("replace", SETUP)


def table(name: str) -> Probe:
    """The numbers of an array in the page allocator, in one word a number."""

    array = re.compile(rf"\b{name}\s*\[[^;{{]*=\s*\{{([^}}]*)\}}")

    def look(tree: Tree) -> Seen:
        source = tree.source(PAGE_ALLOC)
        found = source.search(rf"^.*{array.pattern}")
        if found is None:
            return Seen(NONE, PAGE_ALLOC)
        numbers = [" ".join(re.findall(r"\d+", text)) or NONE for text in array.findall(found.text)]
        for branches in source.all(BRANCHES):
            text = [" ".join(re.findall(r"\d+", words)) for words in array.findall(branches.text)]
            if len(text) == 2:
                return Seen.at(either(branches.text, *text), found)
        return Seen.at(numbers[0], found)

    return Probe(name, name.replace("_", " "), look)


def either(condition: str, first: str, second: str) -> str:
    """A value that depends on the first option that an ``#if`` names."""
    option = re.search(r"CONFIG_\w+", condition)
    return f"{first} with {option[0]}, else {second}" if option else first


def dma_zone(tree: Tree) -> Seen:
    """How large the boot node's DMA zone is: all below 16 MB, or a share of all pages and the least of it."""
    source = tree.source(INIT)
    share = source.search(r"\bratio_maxdma\s*=\s*\(\s*highend_pfn\s*/\s*(\d+)\s*\)")
    least = source.search(
        r"^#[ \t]*if.*\n#[ \t]*define[ \t]+MIN_ZONE_DMA_PAGES[ \t]+\d+\n#[ \t]*else.*\n"
        r"#[ \t]*define[ \t]+MIN_ZONE_DMA_PAGES[ \t]+\d+"
    )
    if share is None or least is None:
        return Seen(FIXED, INIT)
    pages = re.findall(r"MIN_ZONE_DMA_PAGES[ \t]+(\d+)", least.text)
    part = re.search(r"/\s*(\d+)", share.text)
    words = either(least.text, *pages)
    return Seen.at(f"1/{part[1] if part else 1} of memory, at least {words} pages", share)


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
    table("zone_extrafree_ratio"),
    table("zone_extrafree_max"),
    table("lower_zone_reserve_ratio"),
    Probe("dma_zone", "DMA zone", dma_zone),
)
