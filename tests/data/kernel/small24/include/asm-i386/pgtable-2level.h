/* SPDX-License-Identifier: GPL-2.0-only */
#define pte_page(x) (mem_map + pte_pfn(x))
