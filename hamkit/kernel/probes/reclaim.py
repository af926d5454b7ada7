"""The allocator's entry, and reclaim's view of zones."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Found, Tree
from hamkit.kernel.probes.pages import MM, PAGE_ALLOC
from hamkit.kernel.probing import Probe, Seen, Unknown, need

VMSCAN = "mm/vmscan.c"
HIGHMEM = "mm/highmem.c"


def alloc(tree: Tree) -> Found:
    return need(tree.source(PAGE_ALLOC).function("__alloc_pages"), PAGE_ALLOC, "__alloc_pages()")


def alloc_arguments(tree: Tree) -> Seen:
    """Names of the arguments of __alloc_pages(), in order: ``gfp_mask order zonelist``."""
    found = alloc(tree)
    names = [re.findall(r"\w+", argument)[-1] for argument in _arguments(found)]
    known = (["zonelist", "order"], ["gfp_mask", "order", "zonelist"])
    if names not in known:
        raise Unknown(f"{PAGE_ALLOC}:{found.line}: __alloc_pages() takes {' '.join(names)}")
    return Seen.at(" ".join(names), found)


def alloc_order(tree: Tree) -> Seen:
    """Type of the order."""
    found = alloc(tree)
    argument = next((a for a in _arguments(found) if re.search(r"\border$", a)), "")
    return Seen.at(re.sub(r"\s*\border$", "", argument), found)


def alloc_fastcall(tree: Tree) -> Seen:
    found = alloc(tree)
    return Seen.at(found.text.split("(")[0].find("fastcall") >= 0, found)


def alloc_entry(tree: Tree) -> Seen:
    """Who turns a GFP mask into a zonelist: alloc_pages() in mm.h, or _alloc_pages() in page_alloc.c."""
    found = tree.source(PAGE_ALLOC).function("_alloc_pages")
    if found:
        return Seen.at("_alloc_pages", found)
    inline = tree.source(MM).function("alloc_pages")
    if inline and inline.has(r"contig_page_data\.node_zonelists"):
        return Seen.at("alloc_pages", inline)
    raise Unknown(f"{PAGE_ALLOC}, {MM}: neither _alloc_pages() nor an inline alloc_pages()")


def kswapd(tree: Tree) -> Seen:
    source = tree.source(VMSCAN)
    if tree.has("mm/rmap.c"):
        return Seen.at("rmap", need(source.function("kswapd"), VMSCAN, "kswapd()"))
    balance = source.function("kswapd_balance_pgdat")
    if balance:
        walk = source.function("kswapd_balance")
        macros = walk is not None and walk.has(
            r"\bfor_each_pgdat\b|\bpgdat\s*=\s*pgdat->node_next|pgdat_list"
        )
        return Seen.at("kswapd_balance_pgdat", walk if walk and macros else balance)
    return Seen.at("kreclaimd", need(source.function("kreclaimd"), VMSCAN, "kswapd of a known kind"))


def try_to_free_zonelist(tree: Tree) -> Seen:
    """Whether try_to_free_pages() takes the first zone of every node's zonelist."""
    found = need(tree.source(VMSCAN).function("try_to_free_pages"), VMSCAN, "try_to_free_pages()")
    return Seen.at(found.has(r"zones\s*\[\s*0\s*\]"), found)


def free_buffer_first_zone(tree: Tree) -> Seen:
    """Whether nr_free_buffer_pages() follows the first zone of a zonelist before it looks for its end."""
    found = need(
        tree.source(PAGE_ALLOC).function("nr_free_buffer_pages"), PAGE_ALLOC, "nr_free_buffer_pages()"
    )
    return Seen.at(found.has(r"zone_idx\s*\(\s*zone\s*\)"), found)


def scan_unbounded(tree: Tree) -> Seen:
    """Whether shrink_cache() skips pages of another class without lowering any bound of its scan."""
    found = tree.source(VMSCAN).function("shrink_cache")
    if found is None:
        return Seen(False, VMSCAN)
    loop = re.search(
        r"\bwhile\s*\(\s*(\w+(?:\s*&&\s*\w+)*)\s*&&([^{]*)\{(.*?)\bmemclass\s*\(", found.text, re.DOTALL
    )
    if loop is None or "classzone" in loop[2]:
        return Seen.at(False, found)
    bound = "|".join(re.findall(r"\w+", loop[1]))
    return Seen.at(not re.search(rf"--\s*(?:{bound})\b|\b(?:{bound})\s*--", loop[3]), found)


def init_asks_balance(tree: Tree) -> Seen:
    """Whether init, which must not be killed, tries again while its class is short of pages."""
    found = need(tree.source(VMSCAN).search(r"\btry_to_free_pages\w*\s*\("), VMSCAN, "try_to_free_pages()")
    inner = tree.source(VMSCAN).function("try_to_free_pages_zone")
    return Seen.at(inner is not None and inner.has(r"\bcheck_classzone_need_balance\s*\("), inner or found)


def class_counters(tree: Tree) -> Seen:
    """Whether a zone counts the pages that reclaim for its class may take, its node's lower zones too."""
    found = tree.source("mm/swap.c").function("delta_nr_inactive_pages")
    return Seen.whether(found, "mm/swap.c")


def refill_one_node(tree: Tree) -> Seen:
    """Whether refill_inactive() looks for zones short of inactive pages in the first node only."""
    found = tree.source(VMSCAN).function("refill_inactive")
    if found is None:
        return Seen(False, VMSCAN)
    return Seen.at(found.has(r"\bnode_zones\b") and not found.has(r"\bnode_next\b"), found)


def emergency_pool(tree: Tree) -> Seen:
    found = tree.source(HIGHMEM).function("init_emergency_pool")
    return Seen.whether(found, HIGHMEM)


def emergency_pool_highmem(tree: Tree) -> Seen:
    """Whether the pool stays empty where boot found no high memory."""
    found = tree.source(HIGHMEM).function("init_emergency_pool")
    return Seen.at(found.has(r"\btotalhigh\b"), found) if found else Seen(False, HIGHMEM)


def blk_max_pfn(tree: Tree) -> Seen:
    found = tree.source("drivers/block/ll_rw_blk.c").search(r"\bblk_max_pfn\b")
    return Seen.whether(found, "drivers/block/ll_rw_blk.c")


def _arguments(found: Found) -> list[str]:
    head = found.text[found.text.index("(") + 1 : found.text.index("{")].rstrip().removesuffix(")")
    return [" ".join(argument.split()) for argument in head.split(",")]


PROBES = (
    Probe("alloc_arguments", "__alloc_pages arguments", alloc_arguments),
    Probe("alloc_order", "type of the order", alloc_order),
    Probe("alloc_fastcall", "__alloc_pages fastcall", alloc_fastcall),
    Probe("alloc_entry", "zonelist chosen in", alloc_entry),
    Probe("kswapd", "kswapd", kswapd),
    Probe("try_to_free_zonelist", "try_to_free_pages follows zones[0]", try_to_free_zonelist),
    Probe("free_buffer_first_zone", "nr_free_buffer_pages follows zones[0]", free_buffer_first_zone),
    Probe("scan_unbounded", "shrink_cache skips other classes unbounded", scan_unbounded),
    Probe("init_asks_balance", "init asks whether its class is balanced", init_asks_balance),
    Probe("class_counters", "zones count pages of their class", class_counters),
    Probe("refill_one_node", "refill_inactive looks at one node", refill_one_node),
    Probe("emergency_pool", "emergency bounce pool", emergency_pool),
    Probe("emergency_pool_highmem", "bounce pool needs highmem at boot", emergency_pool_highmem),
    Probe("blk_max_pfn", "blk_max_pfn", blk_max_pfn),
)
