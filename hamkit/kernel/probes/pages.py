"""How a page finds its zone, its address and those who wait for it."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Found, Tree
from hamkit.kernel.probing import Probe, Seen, Unknown, need

MM = "include/linux/mm.h"
PAGE_ALLOC = "mm/page_alloc.c"
MMZONE = "include/linux/mmzone.h"
PAGE_H = "include/asm-i386/page.h"
WALKERS = (
    ("kernel/suspend.c", "CONFIG_SOFTWARE_SUSPEND"),
    ("fs/proc/proc_misc.c", "CONFIG_MEMORY_ACCOUNTING"),
)


def struct_page(tree: Tree) -> Found:
    return need(tree.source(MM).struct("page"), MM, "struct page")


def page_zone(tree: Tree) -> Seen:
    page, source = struct_page(tree), tree.source(MM)
    if page.has(r"struct zone_struct\s*\*\s*zone\s*;|zone_t\s*\*\s*zone\s*;"):
        return Seen.at("pointer", page)
    table = source.search(r"^\s*extern\b.*\bzone_table\s*\[")
    lookup = source.function("page_zone") or source.macro("page_zone")
    if table and lookup and lookup.has(r"zone_table\s*\[.*flags\s*>>\s*ZONE_SHIFT"):
        return Seen.at("zone_table", table)
    raise Unknown(f"{MM}: a page finds its zone neither by a pointer nor by zone_table and its flags")


def zone_table_size(tree: Tree) -> Seen:
    """The table's size as its definition has it, or nothing where there is no table."""
    found = tree.source(PAGE_ALLOC).search(r"^[^;\n=]*\bzone_table\s*\[[^]]*\]")
    return Seen.at(_between(found.text, "[", "]"), found) if found else Seen("", PAGE_ALLOC)


def zone_table_exported(tree: Tree) -> Seen:
    for name in (PAGE_ALLOC, "kernel/ksyms.c"):
        found = tree.source(name).search(r"\bEXPORT_SYMBOL(?:_NOVERS)?\s*\(\s*zone_table\s*\)")
        if found:
            return Seen.at(True, found)
    return Seen(False, PAGE_ALLOC)


def zone_shift(tree: Tree) -> Seen:
    """Where in the page's flags the index of its zone begins, as an expression."""
    found = tree.source(MM).macro("ZONE_SHIFT")
    return Seen.at(found.text, found) if found else Seen("", MM)


def page_wait(tree: Tree) -> Seen:
    page = struct_page(tree)
    if page.has(r"\bwait_queue_head_t\s+wait\s*;"):
        return Seen.at("page", page)
    zone = need(tree.source(MMZONE).struct("zone_t"), MMZONE, "zone_t")
    if zone.has(r"\bwait_table\b"):
        return Seen.at("zone", zone)
    raise Unknown(f"{MM}, {MMZONE}: no wait queue in the page and no wait table in the zone")


def page_virtual(tree: Tree) -> Seen:
    page = struct_page(tree)
    if not page.has(r"\bvoid\s*\*\s*virtual\s*;"):
        raise Unknown(f"{MM}: struct page has no member virtual")
    conditional = page.has(r"^\s*#\s*if.*(?:WANT_PAGE_VIRTUAL|CONFIG_HIGHMEM)")
    return Seen.at("conditional" if conditional else "always", page)


def pte_chain(tree: Tree) -> Seen:
    page = struct_page(tree)
    return Seen.at(page.has(r"\bpte_chain\b"), page)


def pfn_macros(tree: Tree) -> Seen:
    for name in (PAGE_H, "include/asm-i386/pgtable.h", MM):
        found = tree.source(name).macro("pfn_to_page")
        if found:
            return Seen.at(True, found)
    return Seen(False, PAGE_H)


def pfn_valid(tree: Tree) -> Seen:
    """Whether frame numbers are held against max_mapnr."""
    found = tree.source(PAGE_H).macro("pfn_valid")
    if found and re.sub(r"\s+", "", found.text) != "(pfn)((pfn)<max_mapnr)":
        raise Unknown(f"{PAGE_H}:{found.line}: pfn_valid reads {found.text!r}")
    return Seen.whether(found, PAGE_H)


def compound_page(tree: Tree) -> Seen:
    """Whether pages of a higher order are freed as one compound page only."""
    found = tree.source(PAGE_ALLOC).function("destroy_compound_page")
    return Seen.whether(found, PAGE_ALLOC)


def free_sets_age(tree: Tree) -> Seen:
    """Whether a page gets its age when it is freed."""
    found = need(tree.source(PAGE_ALLOC).function("__free_pages_ok"), PAGE_ALLOC, "__free_pages_ok()")
    return Seen.at(found.has(r"\bpage->age\s*=\s*PAGE_AGE_START\b"), found)


def map_walks(tree: Tree) -> Seen:
    """Options that make the kernel walk all of mem_map, holes too; empty where there are none."""
    for name, option in WALKERS:
        found = tree.source(name).search(r"<\s*(?:max_mapnr|num_physpages)\b|\+\s*num_physpages\s*;")
        if found:
            return Seen.at(option, found)
    return Seen("", WALKERS[0][0])


def bad_range(tree: Tree) -> Seen:
    """Whether BAD_RANGE is a macro or a function."""
    source = tree.source(PAGE_ALLOC)
    macro = source.macro("BAD_RANGE")
    if macro:
        return Seen.at("macro", macro)
    return Seen.at("function", need(source.function("BAD_RANGE"), PAGE_ALLOC, "BAD_RANGE"))


def _between(text: str, first: str, last: str) -> str:
    return text[text.rindex(first) + 1 : text.rindex(last)].strip()


PROBES = (
    Probe("page_zone", "page to zone", page_zone),
    Probe("zone_table_size", "entries of zone_table", zone_table_size),
    Probe("zone_table_exported", "zone_table exported", zone_table_exported),
    Probe("zone_shift", "zone index in the flags", zone_shift),
    Probe("page_wait", "wait queue", page_wait),
    Probe("page_virtual", "page->virtual", page_virtual),
    Probe("pte_chain", "page->pte_chain", pte_chain),
    Probe("pfn_macros", "pfn_to_page, page_to_pfn", pfn_macros),
    Probe("pfn_valid", "pfn_valid tests", pfn_valid),
    Probe("compound_page", "compound pages", compound_page),
    Probe("free_sets_age", "a freed page gets its age", free_sets_age),
    Probe("map_walks", "options that walk all of mem_map", map_walks),
    Probe("bad_range", "BAD_RANGE", bad_range),
)
