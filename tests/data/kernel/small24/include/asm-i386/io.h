/* SPDX-License-Identifier: GPL-2.0-only */
/* #define page_to_phys(page) is only talked about here */
#define page_to_phys(page)	((page - mem_map) << PAGE_SHIFT)
