"""Zones, nodes and their lists."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Found, Tree
from hamkit.kernel.probes.pages import MMZONE, PAGE_ALLOC
from hamkit.kernel.probing import Probe, Seen, Unknown, need, number

BOOTMEM = "mm/bootmem.c"
CORE = "free_area_init_core"


def zone(tree: Tree) -> Found:
    return need(tree.source(MMZONE).struct("zone_t"), MMZONE, "zone_t")


def pgdat(tree: Tree) -> Found:
    return need(tree.source(MMZONE).struct("pglist_data"), MMZONE, "struct pglist_data")


def core(tree: Tree) -> Found:
    return need(tree.source(PAGE_ALLOC).function(CORE), PAGE_ALLOC, f"{CORE}()")


def zone_start(tree: Tree) -> Seen:
    """The field that says where a zone begins in mem_map; the oldest buddy code counts by offset."""
    found = zone(tree)
    for name in ("offset", "zone_start_mapnr"):
        if found.has(rf"\b{name}\s*;"):
            return Seen.at(name, found)
    raise Unknown(f"{MMZONE}: zone_t does not tell where the zone starts in mem_map")


def zone_walk(tree: Tree) -> Seen:
    found = tree.source(MMZONE).macro("for_each_zone")
    if found:
        return Seen.at("for_each_zone", found)
    listed = tree.source(PAGE_ALLOC).search(r"\bpgdat_list\b")
    return Seen.at("pgdat_list", need(listed, PAGE_ALLOC, "pgdat_list"))


def memclass(tree: Tree) -> Seen:
    found = tree.source(MMZONE).macro("memclass")
    if found is None:
        return Seen("none", MMZONE)
    if found.has(r"zone_pgdat\s*==|==\s*\(\w+\)->zone_pgdat"):
        return Seen.at("same_pgdat", found)
    if found.has(r"zone_idx\s*\(\s*\w+\s*\)\s*<=\s*zone_idx"):
        return Seen.at("zone_idx", found)
    raise Unknown(f"{MMZONE}:{found.line}: memclass() reads {found.text!r}")


def watermarks(tree: Tree) -> Seen:
    found = zone(tree)
    if found.has(r"\bwatermarks\s*\["):
        return Seen.at("array", found)
    if found.has(r"\bpages_min\b"):
        return Seen.at("fields", found)
    raise Unknown(f"{MMZONE}: zone_t has no watermarks that HAM knows")


def zonelists(tree: Tree) -> Seen:
    """Number of zonelists in a node."""
    found = pgdat(tree)
    match = re.search(r"\bnode_zonelists\s*\[([^]]*)\]", found.text)
    if match is None:
        raise Unknown(f"{MMZONE}: struct pglist_data has no node_zonelists")
    size = match[1]
    for name in re.findall(r"[A-Z_]{3,}", size):
        macro = need(tree.source(MMZONE).macro(name), MMZONE, name)
        size = size.replace(name, str(number(macro.text)))
    return Seen.at(sum(number(part) for part in size.split("+")), found)


def zonelist_gfp_mask(tree: Tree) -> Seen:
    found = need(tree.source(MMZONE).struct("zonelist_t"), MMZONE, "zonelist_t")
    return Seen.at(found.has(r"\bgfp_mask\s*;"), found)


def nr_zones(tree: Tree) -> Seen:
    found = pgdat(tree)
    return Seen.at(found.has(r"\bnr_zones\s*;"), found)


def lru_lists(tree: Tree) -> Seen:
    found = zone(tree)
    return Seen.at("zone" if found.has(r"\bactive\w*_list\b") else "global", found)


def lru_init(tree: Tree) -> Seen:
    """Where the lists of active and inactive pages are made empty."""
    body = core(tree)
    if body.has(r"INIT_LIST_HEAD\s*\(\s*&zone->(?:in)?active\w*_list") or body.has(
        r"memlist_init\s*\(\s*&zone->active\w*_list"
    ):
        return Seen.at("zone", body)
    if body.has(r"(?:INIT_LIST_HEAD|memlist_init)\s*\(\s*&active\w*_list"):
        return Seen.at(CORE, body)
    for name in (PAGE_ALLOC, "mm/swap.c"):
        found = tree.source(name).search(
            r"^(?:static\s+)?LIST_HEAD\s*\(\s*active\w*_list|^struct list_head\s+active\w*_list\s*="
        )
        if found:
            return Seen.at("static", found)
    raise Unknown(f"{PAGE_ALLOC}: nothing makes the lists of active pages empty")


def per_cpu_lists(tree: Tree) -> Seen:
    found = zone(tree)
    return Seen.at(found.has(r"\bcpu_pages\s*\[|\bper_cpu_t\b"), found)


def per_cpu_pages(tree: Tree) -> Seen:
    """The most free pages of a zone that one processor keeps; 0 without such lists."""
    found = [m for m in tree.source(MMZONE).macros("MAX_PER_CPU_PAGES") if m.text.isdigit()]
    return Seen.at(number(found[0].text), found[0]) if found else Seen(0, MMZONE)


def max_order(tree: Tree) -> Seen:
    """MAX_ORDER where no option forces another: the last branch is for those who chose none."""
    found = [m for m in tree.source(MMZONE).macros("MAX_ORDER") if re.match(r"\(?\d", m.text)]
    return Seen.at(number(found[-1].text), found[-1]) if found else _no("MAX_ORDER")


def max_nr_nodes(tree: Tree) -> Seen:
    """MAX_NR_NODES without discontiguous memory; 1 where there is no such macro."""
    found = [m for m in tree.source(MMZONE).macros("MAX_NR_NODES") if m.text.isdigit()]
    return Seen.at(number(found[0].text), found[0]) if found else Seen(1, MMZONE)


def core_static(tree: Tree) -> Seen:
    body = core(tree)
    return Seen.at(body.has(r"^\s*(?:static|inline)\b"), body)


def balance_initdata(tree: Tree) -> Seen:
    """Whether the tables that give a zone its watermarks are gone after boot."""
    found = need(
        tree.source(PAGE_ALLOC).search(r"^.*\bzone_balance_ratio\s*\[.*"), PAGE_ALLOC, "zone_balance_ratio"
    )
    return Seen.at("__initdata" in found.text, found)


def balance_variants(tree: Tree) -> Seen:
    """How many definitions of these tables there are, for different configurations."""
    found = tree.source(PAGE_ALLOC).all(r"\bzone_balance_ratio\s*\[[^]]*\][^;]*=\s*\{")
    first = need(found[0] if found else None, PAGE_ALLOC, "zone_balance_ratio")
    return Seen.at(len(found), first)


def extra_free(tree: Tree) -> Seen:
    """Whether a zone keeps memory free by the size of its node too."""
    found = tree.source(PAGE_ALLOC).search(r"\bzone_extrafree_ratio\s*\[[^]]*\][^;]*=\s*\{")
    return Seen.whether(found, PAGE_ALLOC)


def pgdat_insertion(tree: Tree) -> Seen:
    found = need(tree.source(BOOTMEM).function("init_bootmem_core"), BOOTMEM, "init_bootmem_core()")
    if found.has(r"node_next\s*=\s*pgdat_list\s*;\s*pgdat_list\s*="):
        return Seen.at("head", found)
    return Seen.at("other", found)


def zone_wired(tree: Tree) -> Seen:
    for name in (PAGE_ALLOC, MMZONE):
        found = tree.source(name).search(r"\bzone_wired\b")
        if found:
            return Seen.at(True, found)
    return Seen(False, PAGE_ALLOC)


def _no(what: str) -> Seen:
    raise Unknown(f"{MMZONE} has no {what}")


PROBES = (
    Probe("zone_start", "node_zones start field", zone_start),
    Probe("zone_walk", "walk over zones", zone_walk),
    Probe("memclass", "memclass", memclass),
    Probe("watermarks", "watermarks", watermarks),
    Probe("zonelists", "zonelists a node", zonelists),
    Probe("zonelist_gfp_mask", "gfp_mask in a zonelist", zonelist_gfp_mask),
    Probe("nr_zones", "pgdat->nr_zones", nr_zones),
    Probe("lru_lists", "LRU lists belong to", lru_lists),
    Probe("lru_init", "LRU lists initialised in", lru_init),
    Probe("per_cpu_lists", "per-CPU page lists", per_cpu_lists),
    Probe("per_cpu_pages", "MAX_PER_CPU_PAGES", per_cpu_pages),
    Probe("max_order", "MAX_ORDER", max_order),
    Probe("max_nr_nodes", "MAX_NR_NODES", max_nr_nodes),
    Probe("core_static", f"{CORE} static", core_static),
    Probe("balance_initdata", "zone_balance_* __initdata", balance_initdata),
    Probe("balance_variants", "definitions of zone_balance_*", balance_variants),
    Probe("extra_free", "zone_extrafree_*", extra_free),
    Probe("pgdat_insertion", "boot puts a node in pgdat_list", pgdat_insertion),
    Probe("zone_wired", "zone_wired", zone_wired),
)
