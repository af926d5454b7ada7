"""The probes, in the order in which facts are shown; what follows from facts, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hamkit.kernel.probes import balance, foreign, i386, pages, reclaim, toolchain, zones
from hamkit.kernel.probing import Value

Check = Callable[[Mapping[str, Value]], str]

PROBES = (
    *pages.PROBES,
    *zones.PROBES,
    *reclaim.PROBES,
    *i386.PROBES,
    *toolchain.PROBES,
    *balance.PROBES,
    *foreign.PROBES,
)


def _mixed_zone(facts: Mapping[str, Value]) -> str:
    if facts.get("page_zone") == "zone_table" and not facts.get("zone_table_size"):
        return "mm/page_alloc.c: pages name their zone by an index, but zone_table is defined elsewhere"
    return ""


def _split_4g(facts: Mapping[str, Value]) -> str:
    if facts.get("split_4g"):
        return "CONFIG_X86_4G is not for hot-add: user and kernel must share its page tables"
    return ""


def _pae_top_level_accessed(facts: Mapping[str, Value]) -> str:
    """QEMU marks top-level entries accessed, which processors do not do with PAE: pgd_none() compares all of
    an entry, finds it used, and page tables go into the one page that all unused entries share."""
    if facts.get("pae_top_level") == "empty_page":
        return (
            "with PAE (HIGHMEM64G) user data is lost under QEMU (seen on 7.2), which marks top-level entries "
            "of page tables accessed where processors do not: test HIGHMEM4G there"
        )
    return ""


def _highpte(facts: Mapping[str, Value]) -> str:
    if facts.get("highpte_forced"):
        return "the stock kernel hangs with RAM above 4 GB while CONFIG_HIGHPTE is forced on: keep RAM below"
    return ""


def _map_walks(facts: Mapping[str, Value]) -> str:
    option = facts.get("map_walks")
    return f"keep {option} off: it walks all of mem_map, where added memory leaves holes" if option else ""


def _phys_addr(facts: Mapping[str, Value]) -> str:
    if facts.get("phys_addr") == "missing":
        return "include/linux/mm.h uses phys_addr_t, which no header of i386 defines"
    return ""


def _board_register(facts: Mapping[str, Value]) -> str:
    name = facts.get("board_register", "none")
    return "" if name == "none" else f"init/main.c writes to {name}, a register of another machine"


def _ioctl_name(facts: Mapping[str, Value]) -> str:
    name = facts.get("ioctl_name", "none")
    return "" if name == "none" else f"fs/ioctl.c uses {name}, which no header of i386 defines"


REASONS: tuple[Check, ...] = (_mixed_zone,)
CAVEATS: tuple[Check, ...] = (_pae_top_level_accessed, _highpte, _split_4g, _map_walks)
UNBUILDABLE: tuple[Check, ...] = (_phys_addr, _board_register, _ioctl_name)  # for i386, patched or not
