/* SPDX-License-Identifier: GPL-2.0-only */
#define MAX_ORDER 10
#define GFP_ZONEMASK	0x0f

typedef struct zone_struct {
	unsigned long free_pages;
	unsigned long pages_min, pages_low, pages_high;
	unsigned long zone_start_mapnr;
} zone_t;

typedef struct zonelist_struct {
	zone_t *zones[4];
} zonelist_t;

typedef struct pglist_data {
	zone_t node_zones[3];
	zonelist_t node_zonelists[GFP_ZONEMASK+1];
	int nr_zones;
} pg_data_t;

#define memclass(pgzone, classzone)	(((pgzone)->zone_pgdat == (classzone)->zone_pgdat) \
			&& ((pgzone) <= (classzone)))
