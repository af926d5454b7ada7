/* SPDX-License-Identifier: GPL-2.0-only */
static unsigned long totalram_pages;

void mem_init(void)
{
	totalram_pages = 0;
}

void show_mem(void)
{
	int i = max_mapnr;
}
