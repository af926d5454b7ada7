"""The architecture: address space, page tables, boot."""

from __future__ import annotations

import re

from hamkit.kernel.csource import Tree
from hamkit.kernel.probes.pages import PAGE_H
from hamkit.kernel.probing import Probe, Seen, Unknown, need, number

IO = "include/asm-i386/io.h"
PCI = "include/asm-i386/pci.h"
HIGHMEM = "include/asm-i386/highmem.h"
INIT = "arch/i386/mm/init.c"
SETUP = "arch/i386/kernel/setup.c"
RESOURCE = "kernel/resource.c"
BOOT = "arch/i386/boot/setup.S"
CONFIG = "arch/i386/config.in"
PGTABLE = "include/asm-i386/pgtable.h"
LEVELS = ("include/asm-i386/pgtable-2level.h", "include/asm-i386/pgtable-3level.h")


def page_to_phys(tree: Tree) -> Seen:
    """Width of page_to_phys(): ``u64`` means in PAE."""
    found = tree.source(IO).macros("page_to_phys")
    if not found:
        return Seen("none", IO)
    wide = next((macro for macro in found if macro.has(r"\bu64\b|unsigned long long|dma_addr_t")), None)
    return Seen.at("u64", wide) if wide else Seen.at("32", found[0])


def pci_map_page(tree: Tree) -> Seen:
    source = tree.source(PCI)
    return Seen.whether(source.function("pci_map_page") or source.macro("pci_map_page"), PCI)


def pci_mem_map(tree: Tree) -> Seen:
    """How often pci.h computes with mem_map."""
    found = tree.source(PCI).all(r"-\s*mem_map\b|\bmem_map\s*\+")
    return Seen.at(len(found), found[0]) if found else Seen(0, PCI)


def kmap(tree: Tree) -> Seen:
    source = tree.source(HIGHMEM)
    macro = source.macro("kmap")
    if macro:
        return Seen.at("macro", macro)
    return Seen.at("inline", need(source.function("kmap"), HIGHMEM, "kmap()"))


def kmap_tests(tree: Tree) -> Seen:
    """How often highmem.h asks whether a page lies below highmem_start_page."""
    found = tree.source(HIGHMEM).all(r"<\s*highmem_start_page\b")
    return Seen.at(len(found), found[0]) if found else Seen(0, HIGHMEM)


def pkmap_base(tree: Tree) -> Seen:
    """PKMAP_BASE as eight hexadecimal digits; its expression where it is no constant."""
    found = need(tree.source(HIGHMEM).macro("PKMAP_BASE"), HIGHMEM, "PKMAP_BASE")
    constant = re.search(r"0x[0-9a-fA-F]+", found.text)
    return Seen.at(f"{int(constant.group(), 16):08x}" if constant else found.text, found)


def mem_init(tree: Tree) -> Seen:
    source = tree.source(INIT)
    split = source.function("set_max_mapnr_init")
    if split and source.function("free_pages_init"):
        return Seen.at("split", split)
    return Seen.at("in_place", need(source.function("mem_init"), INIT, "mem_init()"))


def maxmem(tree: Tree) -> Seen:
    """Where VMALLOC_RESERVE and MAXMEM are defined."""
    for name, value in ((PAGE_H, "page.h"), (SETUP, "setup_arch")):
        found = tree.source(name).macro("MAXMEM")
        if found:
            return Seen.at(value, found)
    raise Unknown(f"{PAGE_H}, {SETUP}: no MAXMEM")


def vmalloc_reserve(tree: Tree) -> Seen:
    """The reserve in MiB."""
    for name, macro in (
        (PAGE_H, "__VMALLOC_RESERVE"),
        (PAGE_H, "VMALLOC_RESERVE"),
        (SETUP, "VMALLOC_RESERVE"),
    ):
        found = tree.source(name).macro(macro)
        match = re.search(r"\(?\b(\d+)\s*<<\s*20\b", found.text) if found else None
        if found and match:
            return Seen.at(number(match[1]), found)
    raise Unknown(f"{PAGE_H}, {SETUP}: VMALLOC_RESERVE is no constant number of MiB")


def valid_page(tree: Tree) -> Seen:
    found = need(tree.source(PAGE_H).macro("VALID_PAGE"), PAGE_H, "VALID_PAGE")
    plain = re.sub(r"\s+", "", found.text) == "(page)((page-mem_map)<max_mapnr)"
    if not plain:
        raise Unknown(f"{PAGE_H}:{found.line}: VALID_PAGE reads {found.text!r}")
    return Seen.at("max_mapnr", found)


def pte_page(tree: Tree) -> Seen:
    """Whether pte_page() adds to mem_map in both page table layouts."""
    for name in LEVELS:
        source = tree.source(name)
        found = source.macro("pte_page") or source.function("pte_page")
        if found is None or not found.has(r"\bmem_map\b|\bpfn_to_page\b"):
            raise Unknown(f"{name}: pte_page() is missing or does not use mem_map")
    first = need(tree.source(LEVELS[0]).search(r"\bpte_page\b"), LEVELS[0], "pte_page()")
    return Seen.at("mem_map", first)


def pae_top_level(tree: Tree) -> Seen:
    """What an unused entry of PAE's top level is: a shared page of zeros, or never unused."""
    source = tree.source(LEVELS[1])
    found = source.macro("EMPTY_PGD")
    if found:
        return Seen.at("empty_page", found)
    return Seen.at("always_present", need(source.search(r"\bpgd_present\b"), LEVELS[1], "pgd_present()"))


def boot_protocol(tree: Tree) -> Seen:
    """The boot header's version, four hexadecimal digits."""
    found = need(tree.source(BOOT).search(r"^\s*\.word\s+0x02[0-9a-fA-F]{2}\b"), BOOT, "boot header version")
    return Seen.at(found.text.split("0x")[1].strip().lower(), found)


def ramdisk_max(tree: Tree) -> Seen:
    return Seen.whether(tree.source(BOOT).search(r"^ramdisk_max\b"), BOOT)


def highpte_forced(tree: Tree) -> Seen:
    found = tree.source(CONFIG).search(r"^\s*define_bool\s+CONFIG_HIGHPTE\s+y")
    return Seen.whether(found, CONFIG)


def split_4g(tree: Tree) -> Seen:
    return Seen.whether(tree.source(CONFIG).search(r"\bCONFIG_X86_4G\b"), CONFIG)


def highmem_choice(tree: Tree) -> Seen:
    found = tree.source(CONFIG).search(r"\bCONFIG_HIGHMEM64G\b")
    return Seen.at(True, need(found, CONFIG, "choice of high memory (CONFIG_HIGHMEM64G)"))


def page_counters_static(tree: Tree) -> Seen:
    found = need(tree.source(INIT).search(r"^.*\btotalram_pages\s*;"), INIT, "totalram_pages")
    return Seen.at(found.text.lstrip().startswith("static"), found)


def pageattr(tree: Tree) -> Seen:
    name = "arch/i386/mm/pageattr.c"
    return Seen.whether(tree.source(name).search(r"\bhighmem_start_page\b"), name)


def illegal_highdma(tree: Tree) -> Seen:
    name = "net/core/dev.c"
    return Seen.whether(tree.source(name).search(r"\bhighmem_start_page\b"), name)


def driver_mem_map(tree: Tree) -> Seen:
    """How often the one vanilla driver that computes with mem_map does so."""
    name = "drivers/net/ns83820.c"
    found = tree.source(name).all(r"-\s*mem_map\b")
    return Seen.at(len(found), found[0]) if found else Seen(0, name)


def show_mem(tree: Tree) -> Seen:
    """What show_mem() walks over: all of mem_map, or the map of each node."""
    for name in (INIT, "arch/i386/mm/pgtable.c"):
        found = tree.source(name).function("show_mem")
        if found:
            return Seen.at("max_mapnr" if found.has(r"\bmax_mapnr\b") else "nodes", found)
    raise Unknown(f"{INIT}: no show_mem()")


def pte_offset(tree: Tree) -> Seen:
    """How the entry of a kernel page table is found."""
    source = tree.source(PGTABLE)
    for name in ("pte_offset", "pte_offset_kernel"):
        found = source.macro(name)
        if found:
            return Seen.at(name, found)
    raise Unknown(f"{PGTABLE}: neither pte_offset() nor pte_offset_kernel()")


def iomem_listing(tree: Tree) -> Seen:
    """How /proc/iomem is written: into a buffer, or an entry at a time into a seq_file."""
    source = tree.source(RESOURCE)
    shown = source.function("r_show")
    if shown:
        return Seen.at("seq_file", shown)
    listed = need(source.function("get_resource_list"), RESOURCE, "get_resource_list() and no r_show()")
    return Seen.at("buffer", listed)


def module_license(tree: Tree) -> Seen:
    name = "include/linux/module.h"
    return Seen.whether(tree.source(name).macro("MODULE_LICENSE"), name)


def likely(tree: Tree) -> Seen:
    name = "include/linux/compiler.h"
    return Seen.whether(tree.source(name).macro("likely"), name)


def min_t(tree: Tree) -> Seen:
    name = "include/linux/kernel.h"
    return Seen.whether(tree.source(name).macro("min_t"), name)


PROBES = (
    Probe("page_to_phys", "page_to_phys", page_to_phys),
    Probe("pci_map_page", "pci_map_page", pci_map_page),
    Probe("pci_mem_map", "mem_map in pci.h", pci_mem_map),
    Probe("kmap", "kmap", kmap),
    Probe("kmap_tests", "highmem_start_page in highmem.h", kmap_tests),
    Probe("pkmap_base", "PKMAP_BASE", pkmap_base),
    Probe("mem_init", "mem_init pieces", mem_init),
    Probe("maxmem", "VMALLOC_RESERVE, MAXMEM in", maxmem),
    Probe("vmalloc_reserve", "VMALLOC_RESERVE (MiB)", vmalloc_reserve),
    Probe("valid_page", "VALID_PAGE tests", valid_page),
    Probe("pte_page", "pte_page from", pte_page),
    Probe("pae_top_level", "PAE top level, unused entry", pae_top_level),
    Probe("boot_protocol", "boot protocol", boot_protocol),
    Probe("ramdisk_max", "ramdisk_max in setup.S", ramdisk_max),
    Probe("highmem_choice", "CONFIG_HIGHMEM64G", highmem_choice),
    Probe("highpte_forced", "CONFIG_HIGHPTE forced", highpte_forced),
    Probe("split_4g", "4G/4G split", split_4g),
    Probe("page_counters_static", "totalram_pages static", page_counters_static),
    Probe("pageattr", "pageattr.c asks highmem_start_page", pageattr),
    Probe("illegal_highdma", "dev.c asks highmem_start_page", illegal_highdma),
    Probe("driver_mem_map", "mem_map in ns83820.c", driver_mem_map),
    Probe("show_mem", "show_mem walks over", show_mem),
    Probe("pte_offset", "entry of a kernel page table", pte_offset),
    Probe("iomem_listing", "/proc/iomem written into", iomem_listing),
    Probe("module_license", "MODULE_LICENSE", module_license),
    Probe("likely", "likely()", likely),
    Probe("min_t", "min_t", min_t),
)
