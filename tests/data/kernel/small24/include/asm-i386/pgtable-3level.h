/* SPDX-License-Identifier: GPL-2.0-only */
#define pte_page(x) (mem_map + \
		     pte_pfn(x))
static inline int pgd_present(pgd_t pgd) { return 1; }
