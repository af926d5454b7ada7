/* SPDX-License-Identifier: GPL-2.0-only */
struct list_head active_list;
pg_data_t *pgdat_list;
static int zone_balance_ratio[3] __initdata = { 128, 128, 128, };

#define BAD_RANGE(zone, x) ((zone) != (x)->zone)

static void __free_pages_ok(struct page *page, unsigned int order)
{
}

struct page *_alloc_pages(unsigned int gfp_mask, unsigned int order)
{
	return __alloc_pages(gfp_mask, order, 0);
}

struct page *__alloc_pages(unsigned int gfp_mask, unsigned int order,
			   zonelist_t *zonelist)
{
	return 0;
}

unsigned int nr_free_buffer_pages(void)
{
	return 0;
}

void __init free_area_init_core(int nid, pg_data_t *pgdat)
{
	INIT_LIST_HEAD(&active_list);
}
