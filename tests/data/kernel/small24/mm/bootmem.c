/* SPDX-License-Identifier: GPL-2.0-only */
static unsigned long __init init_bootmem_core(pg_data_t *pgdat)
{
	pgdat->node_next = pgdat_list;
	pgdat_list = pgdat;
	return 0;
}
