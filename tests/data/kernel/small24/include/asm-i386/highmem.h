/* SPDX-License-Identifier: GPL-2.0-only */
#define PKMAP_BASE (0xfe000000UL)

static inline void *kmap(struct page *page)
{
	if (page < highmem_start_page)
		return page_address(page);
	return kmap_high(page);
}
