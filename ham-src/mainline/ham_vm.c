// SPDX-License-Identifier: GPL-2.0-only
/* The core's view of the VM: what is known, putting ranges in and out. */
#include <linux/errno.h>
#include <linux/ioport.h>
#include <linux/memory.h>
#include <linux/memory_hotplug.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>

#include <asm/processor.h>

#include "ham_compat.h"
#include "ham_mainline.h"

u64 ham_vm_alignment(void)
{
	return memory_block_size_bytes();
}

int ham_vm_reachable(u64 start, u64 end)
{
	struct range plug = ham_pluggable_range();
	u64 last = end - 1;

	/*
	 * The kernel's limit does not always consider the processor's, and
	 * mapping what lies beyond that one sets reserved bits.
	 */
	return start >= plug.start && last <= plug.end &&
	       !(last >> boot_cpu_data.x86_phys_bits);
}

struct ham_span {
	u64 start;
	u64 end;
};

static int ham_vm_take_first(struct resource *res, void *arg)
{
	struct ham_span *span = arg;

	span->start = res->start;
	span->end = res->end + 1;
	return 1;
}

int ham_vm_known(u64 start, u64 end, u64 *known_start, u64 *known_end)
{
	unsigned long flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY;
	u64 last = end - 1;
	struct ham_span span;

	/* The walk finds nothing in a range of one byte: let it see two */
	if (last == start)
		last++;
	if (walk_iomem_res_desc(IORES_DESC_NONE, flags, start, last, &span,
				ham_vm_take_first) != 1 || span.start >= end)
		return 0;
	*known_start = span.start;
	*known_end = span.end;
	return 1;
}

#ifdef HAM_TEST
static unsigned int fail_next;
module_param(fail_next, uint, 0644);
MODULE_PARM_DESC(fail_next, "make so many integrations fail (test builds)");

static unsigned int fail_skip;
module_param(fail_skip, uint, 0644);
MODULE_PARM_DESC(fail_skip, "let so many pass before fail_next counts");

static unsigned int fail_undo;
module_param(fail_undo, uint, 0644);
MODULE_PARM_DESC(fail_undo, "make so many undos fail (test builds)");

static unsigned int fail_errno = ENOMEM;
module_param(fail_errno, uint, 0644);
MODULE_PARM_DESC(fail_errno, "errno of the failures made, ENOMEM by default");

/* Called with the add lock held; a racing write to a parameter is harmless */
static int ham_vm_inject(unsigned int *left)
{
	if (!*left)
		return 0;
	--*left;
	return fail_errno && fail_errno <= MAX_ERRNO ? -(int)fail_errno :
						       -ENOMEM;
}

static int ham_vm_inject_integrate(void)
{
	if (!fail_next || !fail_skip)
		return ham_vm_inject(&fail_next);
	fail_skip--;
	return 0;
}

static int ham_vm_inject_undo(void)
{
	return ham_vm_inject(&fail_undo);
}
#else
static int ham_vm_inject_integrate(void)
{
	return 0;
}

static int ham_vm_inject_undo(void)
{
	return 0;
}
#endif

static int ham_vm_check(u64 start, u64 end, u8 attr, const char **why)
{
	if (!(attr & HAM_ATTR_RW)) {
		*why = "the VM cannot use read-only memory";
		return -EROFS;
	}
	if (region_intersects(start, end - start, IORESOURCE_MEM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		*why = "overlaps a reserved range or a device";
		return -EEXIST;
	}
	return ham_probe(start, end, why);
}

int ham_vm_integrate(u64 start, u64 end, u8 attr, const char **why)
{
	int error;

	error = ham_vm_check(start, end, attr, why);
	if (error)
		return error;
	*why = "the VM could not integrate it";
	error = ham_vm_inject_integrate();
	if (error)
		return error;
	error = add_memory(memory_add_physaddr_to_nid(start), start,
			   end - start, MHP_NONE);
	if (error)
		return error;
	/* What is integrated must stay listed: no unloading from here on */
	__module_get(THIS_MODULE);
	return 0;
}

int ham_vm_undo(u64 start, u64 end)
{
	u64 block = memory_block_size_bytes();
	int error = ham_vm_inject_undo();
	u64 at;

	if (error)
		return error;
	/* One by one: some kernels refuse to remove several blocks at once */
	for (at = start; at < end; at += block) {
		error = ham_remove_block(at, block);
		if (error)
			return error;
	}
	module_put(THIS_MODULE);
	return 0;
}

int ham_vm_usable(u64 start, u64 end)
{
	unsigned long last = PFN_DOWN(end - 1);
	unsigned long pfn;

	/* Pages go online by memory blocks, which consist of sections */
	for (pfn = PFN_DOWN(start); pfn <= last; pfn += PAGES_PER_SECTION)
		if (!pfn_to_online_page(pfn))
			return 0;
	return pfn_to_online_page(last) != NULL;
}
