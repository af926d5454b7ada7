"""Facts of small trees that we wrote: seen in the code, never in the version; unknown shapes in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hamkit.errors import UserError
from hamkit.files import project_root
from hamkit.kernel.csource import Source
from hamkit.kernel.facts import COLUMNS, probe
from hamkit.kernel.identify import identify, is_tree

SMALL = project_root() / "tests" / "data" / "kernel" / "small24"

Edit = Callable[[str, str, str], None]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SMALL, tmp_path / "linux"))


@pytest.fixture
def edit(tree: Path) -> Edit:
    """Replaces a text that is in a file of the tree."""

    def replace(name: str, old: str, new: str) -> None:
        text = (tree / name).read_text()
        assert old in text
        (tree / name).write_text(text.replace(old, new))

    return replace


def test_identity(tree: Path) -> None:
    seen = identify(tree)
    assert (seen.version, seen.release, seen.extra) == ("2.4.99", "2.4.99-small", "-small")
    assert (seen.vendor, seen.traits) == ("vanilla", ())


def test_traits_tell_of_a_vendor(tree: Path) -> None:
    (tree / "mm" / "rmap.c").write_text("/* reverse mapping */\n")
    assert identify(tree).vendor == "unknown"
    assert identify(tree).traits == ("reverse mapping (rmap)",)
    (tree / "configs").mkdir()
    (tree / "configs" / "kernel-2.4.99-i686-smp.config").write_text("")
    assert identify(tree).vendor == "Red Hat"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("Makefile", "VERSION = 2\nPATCHLEVEL = 6\nSUBLEVEL = 1\n", "is Linux 2.6.1, not 2.4"),
        ("Makefile", "all:\n\ttrue\n", "is not a kernel tree"),
        ("arch/i386/kernel/setup.c", None, "without i386: it lacks arch/i386/kernel/setup.c"),
    ],
)
def test_what_is_no_24_i386_tree(tree: Path, name: str, text: str | None, words: str) -> None:
    if text is None:
        (tree / name).unlink()
    else:
        (tree / name).write_text(text)
    with pytest.raises(UserError, match=words):
        probe(tree)


def test_an_empty_folder_is_no_tree(tmp_path: Path) -> None:
    assert not is_tree(tmp_path)
    assert is_tree(SMALL)


def test_facts_with_their_evidence() -> None:
    facts = probe(SMALL)
    assert facts.unsupported == ()
    assert facts.caveats == ()
    wanted = {
        "page_zone": "pointer",
        "page_wait": "page",
        "page_virtual": "always",
        "zone_start": "zone_start_mapnr",
        "zonelists": 16,
        "memclass": "same_pgdat",
        "max_order": 10,
        "alloc_arguments": "gfp_mask order zonelist",
        "alloc_order": "unsigned int",
        "page_to_phys": "32",
        "maxmem": "setup_arch",
        "vmalloc_reserve": 128,
        "pkmap_base": "fe000000",
        "kmap_tests": 1,
        "boot_protocol": "0202",
        "lru_init": "free_area_init_core",
        "balance_initdata": True,
        "pfn_macros": False,
    }
    assert {name: facts[name] for name in wanted} == wanted
    fact = facts.facts["page_to_phys"]
    assert (fact.file, fact.line) == ("include/asm-i386/io.h", 3)


def test_the_version_says_nothing(edit: Edit, tree: Path) -> None:
    before = probe(tree).values
    edit("Makefile", "SUBLEVEL = 99", "SUBLEVEL = 2")
    assert probe(tree).values == before


@pytest.mark.parametrize(
    ("name", "old", "new", "fact", "value"),
    [
        (
            "include/linux/mmzone.h",
            "unsigned long zone_start_mapnr",
            "unsigned long offset",
            "zone_start",
            "offset",
        ),
        (
            "include/linux/mmzone.h",
            "unsigned long pages_min, pages_low, pages_high",
            "marks_t watermarks[3]",
            "watermarks",
            "array",
        ),
        ("include/linux/mmzone.h", "GFP_ZONEMASK\t0x0f", "GFP_ZONEMASK\t31", "zonelists", 32),
        ("include/asm-i386/io.h", "\t((page", "\t((u64)(page", "page_to_phys", "u64"),
        (
            "mm/page_alloc.c",
            "INIT_LIST_HEAD(&active_list)",
            "INIT_LIST_HEAD(&zone->active_list)",
            "lru_init",
            "zone",
        ),
        (
            "mm/page_alloc.c",
            "unsigned int order,\n",
            "unsigned long order,\n",
            "alloc_order",
            "unsigned long",
        ),
        ("arch/i386/boot/Makefile", "--oformat", "-oformat", "one_dash_oformat", True),
        ("kernel/resource.c", "int get_resource_list", "int r_show", "iomem_listing", "seq_file"),
        ("arch/i386/mm/init.c", "int i = max_mapnr", "pg_data_t *pgdat", "show_mem", "nodes"),
        (
            "include/asm-i386/pgtable.h",
            "pte_offset(",
            "pte_offset_kernel(",
            "pte_offset",
            "pte_offset_kernel",
        ),
        (
            "mm/page_alloc.c",
            "static int zone_balance",
            "int zone_extrafree_ratio[3] = { 0 };\nstatic int zone_balance",
            "extra_free",
            True,
        ),
        (
            "mm/page_alloc.c",
            "order)\n{\n}",
            "order)\n{\n\tpage->age = PAGE_AGE_START;\n}",
            "free_sets_age",
            True,
        ),
        (
            "mm/page_alloc.c",
            "void __free_pages_ok",
            "void destroy_compound_page(void)\n{\n}\n\nstatic void __free_pages_ok",
            "compound_page",
            True,
        ),
        (
            "include/asm-i386/page.h",
            "#define VALID_PAGE",
            "#define pfn_valid(pfn) ((pfn) < max_mapnr)\n#define VALID_PAGE",
            "pfn_valid",
            True,
        ),
        (
            "mm/vmscan.c",
            "int try_to_free_pages(unsigned int gfp_mask)\n{\n",
            "int try_to_free_pages_zone(zone_t *zone)\n{\n\tcheck_classzone_need_balance(zone);\n}\n"
            "int try_to_free_pages(unsigned int gfp_mask)\n{\n",
            "init_asks_balance",
            True,
        ),
    ],
)
def test_facts_follow_the_code(
    edit: Edit, tree: Path, name: str, old: str, new: str, fact: str, value: object
) -> None:
    assert probe(tree)[fact] != value
    edit(name, old, new)
    assert probe(tree)[fact] == value


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        (
            "include/linux/mm.h",
            "struct zone_struct *zone;",
            "int node;",
            "neither by a pointer nor by zone_table",
        ),
        ("include/linux/mmzone.h", "zone_pgdat ==", "zone_pgdat <", "memclass"),
        ("include/asm-i386/page.h", "< max_mapnr", "< my_mapnr", "VALID_PAGE reads"),
        (
            "mm/page_alloc.c",
            "unsigned int order,\n",
            "unsigned int order, int node,\n",
            "takes gfp_mask order node",
        ),
        ("arch/i386/config.in", "CONFIG_HIGHMEM64G", "CONFIG_MORE", "CONFIG_HIGHMEM64G"),
        (
            "include/asm-i386/page.h",
            "#define VALID_PAGE",
            "#define pfn_valid(pfn) ((pfn) < top)\n#define VALID_PAGE",
            "pfn_valid reads",
        ),
        ("include/asm-i386/pgtable.h", "pte_offset", "my_offset", "neither pte_offset()"),
    ],
)
def test_an_unknown_shape_is_said_in_words(
    edit: Edit, tree: Path, name: str, old: str, new: str, words: str
) -> None:
    edit(name, old, new)
    facts = probe(tree)
    assert [reason for reason in facts.unsupported if words in reason]
    assert all(Path(name).stem in reason for reason in facts.unsupported)


@pytest.mark.parametrize("there", [False, True])
def test_zones_that_count_the_pages_of_their_class(tree: Path, there: bool) -> None:
    name = "delta_nr_inactive_pages" if there else "delta_nr_pages"
    (tree / "mm" / "swap.c").write_text(f"void {name}(struct page *page, long delta)\n{{\n}}\n")
    assert probe(tree)["class_counters"] is there


@pytest.mark.parametrize(
    ("body", "there", "needs"),
    [(None, False, False), ("fill();", True, False), ("if (!i.totalhigh) return 0;", True, True)],
)
def test_who_gets_bounce_pages(tree: Path, body: str | None, there: bool, needs: bool) -> None:
    if body is not None:
        (tree / "mm" / "highmem.c").write_text(
            f"static __init int init_emergency_pool(void)\n{{\n\t{body}\n}}\n"
        )
    facts = probe(tree)
    assert (facts["emergency_pool"], facts["emergency_pool_highmem"]) == (there, needs)


@pytest.mark.parametrize(
    ("body", "one_node"),
    [
        ("", False),
        ("zone_t *zone = pgdat_list->node_zones + type;", True),
        ("zone_t *zone = pgdat->node_zones + type;\n\tpgdat = pgdat->node_next;", False),
    ],
)
def test_whose_zones_are_refilled(tree: Path, body: str, one_node: bool) -> None:
    text = (tree / "mm" / "vmscan.c").read_text()
    (tree / "mm" / "vmscan.c").write_text(f"{text}\nstatic int refill_inactive(void)\n{{\n\t{body}\n}}\n")
    assert probe(tree)["refill_one_node"] is one_node


@pytest.mark.parametrize(
    ("loop", "unbounded"),
    [
        ("while (max_mapped && (entry = list.prev) != &list) {\n\tif (!memclass(page->zone, zone))", True),
        ("while (left && more()) {\n\tleft--;\n\tif (unlikely(!memclass(page->zone, zone)))", False),
        ("while (--left >= 0 && more()) {\n\tif (!memclass(page->zone, zone))", False),
        ("while (left && seen && more()) {\n\tseen--;\n\tif (!memclass(page->zone, zone))", False),
        ("while (left && seen && more()) {\n\tif (!memclass(page->zone, zone))", True),
        ("while (left && classzone->nr_inactive_pages && more()) {\n\tif (!memclass(a, zone))", False),
        ("while (left && more()) {\n\tif (busy(page))", False),
    ],
)
def test_a_scan_that_only_counts_what_is_of_the_class(tree: Path, loop: str, unbounded: bool) -> None:
    text = (tree / "mm" / "vmscan.c").read_text()
    body = f"{{\n{loop}\n\t\tcontinue;\n\tleft--, max_mapped--;\n}}\n}}\n"
    (tree / "mm" / "vmscan.c").write_text(f"{text}\nstatic int shrink_cache(int left)\n{body}")
    assert probe(tree)["scan_unbounded"] is unbounded


def test_a_fact_that_was_not_found_cannot_be_used(edit: Edit, tree: Path) -> None:
    edit("include/asm-i386/page.h", "VALID_PAGE", "VALID")
    with pytest.raises(UserError, match="does not tell valid_page"):
        probe(tree)["valid_page"]


def test_caveats(edit: Edit, tree: Path) -> None:
    edit("include/asm-i386/pgtable-3level.h", "static inline", "#define EMPTY_PGD 1\nstatic inline")
    edit("arch/i386/config.in", "bool 'Small", "define_bool CONFIG_HIGHPTE y\nbool 'Small")
    caveats = probe(tree).caveats
    assert [word for word in ("HIGHMEM4G", "CONFIG_HIGHPTE") if not any(word in c for c in caveats)] == []


def test_an_option_that_walks_over_holes_is_a_caveat(tree: Path) -> None:
    (tree / "kernel" / "suspend.c").write_text(
        "void f(void)\n{\n\tfor (i = 0; i < max_mapnr; i++)\n\t\t;\n}\n"
    )
    (caveat,) = probe(tree).caveats
    assert "CONFIG_SOFTWARE_SUSPEND" in caveat


def test_table_and_json_show_every_fact() -> None:
    facts = probe(SMALL)
    rows = facts.rows()
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert ("page to zone", "pointer", "include/linux/mm.h", "2") in rows
    again = json.loads(json.dumps(facts.as_json()))
    assert again["facts"].keys() == facts.values.keys()
    assert len(rows) == len(facts.values)


def test_comments_are_not_code() -> None:
    text = '/* one\n two */ int a; // three "\nchar *s = "/* not a comment */";\nint b;\n'
    source = Source("x.c", text)
    assert source.search("one|two|three") is None
    assert source.code.count("\n") == text.count("\n")
    found = source.search(r"\bint b\b")
    assert found is not None
    assert found.line == 4
    assert source.search("not a comment") is not None


def test_functions_are_told_from_their_declarations_and_calls() -> None:
    calls = "int f(int a);\n\nint g(void)\n{\n\treturn f(1);\n}\n\n"
    text = calls + "int\nf(int a)\n{\n\tif (a) {\n\t\ta--;\n\t}\n\treturn a;\n}\n"
    found = Source("x.c", text).function("f")
    assert found is not None
    assert found.line == 9
    assert found.text.endswith("return a;\n}")


def test_macros_over_several_lines() -> None:
    source = Source("x.h", "#define one(x) (x + \\\n\t1)\n# define one(x) 2\n#define one_more 3\n")
    assert [found.text for found in source.macros("one")] == ["(x) (x + 1)", "(x) 2"]
    assert source.macro("two") is None


def test_a_table_for_either_configuration(tree: Path, edit: Edit) -> None:
    table = "static int zone_balance_ratio[3] __initdata = { 128, 128, 128, };\n"
    assert probe(tree)["zone_balance_ratio"] == "128 128 128"
    other = table.replace("{ 128", "{ 4097")
    edit("mm/page_alloc.c", table, f"#if defined(CONFIG_HIGHMEM64G)\n{other}#else\n{table}#endif\n")
    assert probe(tree)["zone_balance_ratio"] == "4097 128 128 with CONFIG_HIGHMEM64G, else 128 128 128"


def test_a_dma_zone_that_grows_with_memory(tree: Path) -> None:
    assert probe(tree)["dma_zone"] == "16 MB"
    with (tree / "arch/i386/mm/init.c").open("a") as source:
        source.write(
            "#ifdef CONFIG_HIGHMEM64G\n#define MIN_ZONE_DMA_PAGES 2048\n#else\n"
            "#define MIN_ZONE_DMA_PAGES 4096\n#endif\n"
            "void f(void)\n{\n\tratio_maxdma = (highend_pfn / 20) & ~((1 << MAX_ORDER)-1);\n}\n"
        )
    seen = probe(tree)["dma_zone"]
    assert seen == "1/20 of memory, at least 2048 with CONFIG_HIGHMEM64G, else 4096 pages"


def test_a_release_in_quotes_is_what_the_shell_makes_of_it(tree: Path, edit: Edit) -> None:
    edit("Makefile", "-small", '"-small"')
    assert identify(tree).release == "2.4.99-small"


def test_a_release_that_a_command_tells_is_not_guessed(tree: Path, edit: Edit) -> None:
    edit("Makefile", "-small", "$(shell if [ -f .lsp ]; then \\\n cat .lsp; fi)")
    assert (identify(tree).release, identify(tree).extra) == ("2.4.99", "")
