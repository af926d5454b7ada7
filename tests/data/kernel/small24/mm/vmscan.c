/* SPDX-License-Identifier: GPL-2.0-only */
int try_to_free_pages(unsigned int gfp_mask)
{
	return 0;
}

static int kswapd_balance_pgdat(pg_data_t *pgdat)
{
	return 0;
}
