/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, in one place. Kbuild looks into the kernel's
 * headers and defines HAM_HAVE_...; version numbers say nothing about what a
 * distribution has backported.
 */
#ifndef _HAM_COMPAT_H
#define _HAM_COMPAT_H

#include <linux/memory_hotplug.h>
#include <linux/mmzone.h>
#include <linux/range.h>
#include <linux/types.h>

#if !defined(CONFIG_MEMORY_HOTPLUG) || !defined(CONFIG_X86_64)
#error "HAM needs an x86-64 kernel with CONFIG_MEMORY_HOTPLUG"
#endif

/* The physical range that the kernel can map and has page structures for. */
static inline struct range ham_pluggable_range(void)
{
#ifdef HAM_HAVE_PLUGGABLE_RANGE
	return mhp_get_pluggable_range(true);
#else
	struct range all = { 0, (1ULL << MAX_PHYSMEM_BITS) - 1 };

	return all;
#endif
}

/* Takes one memory block out of use and out of the system. */
static inline int ham_remove_block(u64 start, u64 size)
{
#ifndef CONFIG_MEMORY_HOTREMOVE
	return -EOPNOTSUPP;
#elif defined(HAM_HAVE_REMOVE_NID)
	int nid = memory_add_physaddr_to_nid(start);

	return offline_and_remove_memory(nid, start, size);
#else
	return offline_and_remove_memory(start, size);
#endif
}

#endif /* _HAM_COMPAT_H */
