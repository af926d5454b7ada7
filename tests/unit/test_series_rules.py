"""Rules and edits of the series, each on a small source of our own that has what it is for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hamkit.files import project_root
from hamkit.render.series import spatch
from hamkit.render.series.overlay import Overlay
from hamkit.render.series.plan import load_plan
from hamkit.render.series.steps import Work, carry_out

PATCHES = project_root() / "patches"
needs_spatch = pytest.mark.skipif(shutil.which("spatch") is None, reason="spatch: apt-get install coccinelle")

RECLAIM = """\
static int check_classzone_need_balance(zone_t * classzone);

static int scan(zone_t * classzone)
{
	int most = (classzone->nr_inactive_pages + classzone->nr_active_pages) / 6;

	while (most-- && classzone->nr_inactive_pages)
		;
	if (!check_classzone_need_balance(classzone))
		return 0;
	return most;
}
"""
NODES = """\
void walk(unsigned int gfp_mask, pg_data_t *pgdat)
{
	zonelist_t *zonelist;

	for_each_pgdat(pgdat) {
		zonelist = pgdat->node_zonelists + (gfp_mask & GFP_ZONEMASK);
		use(zonelist->zones[0]);
	}
}

static void build(pg_data_t *pgdat)
{
	zonelist_t *zonelist;
	int i;

	for (i = 0; i < 16; i++) {
		zonelist = pgdat->node_zonelists + i;
		clear(zonelist);
	}
}
"""
LISTING = """\
static int r_show(struct seq_file *m, void *v)
{
	struct resource *r = v;

	seq_printf(m, "%lx", r->start);
	return 0;
}
"""
VALID = """\
#define pfn_to_page(pfn)	(mem_map + (pfn))
#define pfn_valid(pfn)		((pfn) < max_mapnr)
"""
TABLES = """\
static int zone_balance_ratio[MAX_NR_ZONES] __initdata = { 1, 2, 3, };
static int zone_balance_min[MAX_NR_ZONES] __initdata = { 1, 2, 3, };
static int zone_balance_max[MAX_NR_ZONES] __initdata = { 1, 2, 3, };
static int zone_extrafree_ratio[MAX_NR_ZONES] __initdata = { 1, 2, 0, };
static int zone_extrafree_max[MAX_NR_ZONES] __initdata = { 1, 2, 0, };
static char *names __initdata = "kept";
"""


def applied(cocci: str, text: str, tmp_path: Path) -> tuple[str, dict[str, int]]:
    """A source after a semantic patch of the series, and how often each rule fired."""
    done = spatch.apply((PATCHES / cocci).read_text(), "mm/small.c", text, tmp_path)
    return done.text, dict(done.fired)


def edited(name: str, file: str, text: str, tmp_path: Path, **facts: object) -> tuple[str, list[str]]:
    """A file after the edits of that name that the facts want, and what missed."""
    (tmp_path / "tree" / file).parent.mkdir(parents=True)
    (tmp_path / "tree" / file).write_text(text)
    work = Work(Overlay(tmp_path / "tree"), PATCHES, {"facts": facts, "reserve_mb": 128}, tmp_path)
    for patch in load_plan(PATCHES).patch:
        edits = tuple(edit for edit in patch.edits if edit.name == name)
        carry_out(patch.model_copy(update={"new": (), "rules": (), "edits": edits}), work)
    return work.overlay.current.get(file, text), [str(miss) for miss in work.misses]


@needs_spatch
@pytest.mark.parametrize("end", ["__pa(&_end)", "virt_to_phys(&_end)"])
def test_the_window_is_sized_before_lowmem_is(tmp_path: Path, end: str) -> None:
    body = f"\tparse_mem_cmdline(line);\n\tstart_pfn = PFN_UP({end});\n\tlast_pfn = PFN_UP({end});\n"
    text, fired = applied("reserve.cocci", f"void setup(char **line)\n{{\n{body}}}\n", tmp_path)
    assert fired == {"bios_map": 1, "lowmem": 1}
    assert f"\thotadd_reserve(MAXMEM);\n\tstart_pfn = PFN_UP({end});\n" in text
    assert "\thotadd_save_e820();\n\tparse_mem_cmdline(line);\n" in text


@needs_spatch
@pytest.mark.parametrize(
    "other",
    [
        "!memclass(page->zone, classzone)",
        "unlikely(!memclass(page->zone, classzone))",
        "__builtin_expect(!memclass(page->zone, classzone), 0)",
    ],
)
def test_pages_of_another_class_lower_the_bound_of_a_scan(tmp_path: Path, other: str) -> None:
    body = f"\t\tif ({other})\n\t\t\tcontinue;\n\n\t\tleft--;\n"
    text, fired = applied(
        "scan-bound.cocci",
        "static int shrink_cache(int left, zone_t *classzone)\n{\n"
        f"\twhile (left && (entry = lru.prev) != &lru) {{\n{body}\t}}\n\treturn left;\n}}\n",
        tmp_path,
    )
    assert fired == {"scan_bound": 1}
    assert f"\t\tif ({other}) {{\n\t\t\thotadd_scanned(left);\n\t\t\tcontinue;\n\t\t}}\n" in text


@needs_spatch
def test_reclaim_sums_a_class_over_nodes(tmp_path: Path) -> None:
    text, fired = applied("class-counters.cocci", RECLAIM, tmp_path)
    assert fired == {"active": 1, "inactive": 2}
    assert "(class_inactive_pages(classzone) + class_active_pages(classzone)) / 6" in text
    assert "while (most-- && class_inactive_pages(classzone))" in text


@needs_spatch
def test_a_class_is_balanced_by_any_node_and_the_prototype_stays(tmp_path: Path) -> None:
    text, fired = applied("reclaim.cocci", RECLAIM, tmp_path)
    assert fired == {"balance": 1}
    assert "if (!class_needs_balance(classzone))" in text
    assert text.startswith(RECLAIM.splitlines()[0])


@needs_spatch
def test_nodes_without_all_zones_are_left_out_of_walks_only(tmp_path: Path) -> None:
    text, fired = applied("one-class.cocci", NODES, tmp_path)
    assert fired == {"node": 1}
    assert text.index("hotadd_node(pgdat)") < text.index("GFP_ZONEMASK")
    assert text.endswith(NODES[NODES.index("static void build") :])


@needs_spatch
def test_what_lies_above_4_gb_is_listed_behind_a_resource(tmp_path: Path) -> None:
    text, fired = applied("iomem-seq.cocci", LISTING, tmp_path)
    assert fired == {"listing": 1}
    assert "\thotadd_show_resources(m, v);\n\treturn 0;" in text


@needs_spatch
def test_a_frame_number_is_valid_when_its_page_is(tmp_path: Path) -> None:
    text, fired = applied("pfn-valid.cocci", VALID, tmp_path)
    assert fired == {"pfn_valid": 1}
    assert text.count("#define pfn_valid(pfn)") == 2
    assert VALID.splitlines()[1] in text


@pytest.mark.parametrize(("variants", "extra", "misses"), [(1, True, 0), (2, True, 1), (1, False, 1)])
def test_watermark_tables_stay_as_many_as_there_must_be(
    tmp_path: Path, variants: int, extra: bool, misses: int
) -> None:
    text, missed = edited(
        "watermark tables after boot",
        "mm/page_alloc.c",
        TABLES,
        tmp_path,
        balance_initdata=True,
        extra_free=extra,
        balance_variants=variants,
    )
    assert len(missed) == misses
    assert text.count("__hotadd_initdata") == 5
    assert '*names __initdata = "kept"' in text


def test_a_kernel_with_page_tables_of_its_own_is_not_for_hot_add(tmp_path: Path) -> None:
    line = "bool '4 GB for the kernel alone' CONFIG_X86_4G\n"
    name = "no page tables of the kernel's own"
    text, missed = edited(name, "arch/i386/config.in", line, tmp_path, split_4g=True)
    assert missed == []
    assert text.index("CONFIG_MEM_HOTADD") < text.index("define_bool CONFIG_X86_4G n") < text.index(line)


def test_zones_of_added_regions_can_be_named(tmp_path: Path) -> None:
    table = "zone_wired_t zone_wired[MAX_NR_ZONES*MAX_NR_NODES];\n"
    name = "wired pages of zones that page flags can name"
    text, missed = edited(name, "mm/page_alloc.c", table, tmp_path, zone_wired=True)
    assert missed == []
    assert text == "zone_wired_t zone_wired[MAX_NR_ZONES*(MAX_NR_NODES+HOTADD_REGIONS)];\n"
