// SPDX-License-Identifier: GPL-2.0-only
/* The core's view of the VM, which the hot-add patches have taught all of it */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/mem_hotadd.h>

#include "ham_linux24.h"

ham_u64 ham_vm_alignment(void)
{
	return HOTADD_BLOCK_SIZE;
}

int ham_vm_reachable(ham_u64 start, ham_u64 end)
{
	return end <= mem_hotadd_top();
}

int ham_vm_known(ham_u64 start, ham_u64 end,
		 ham_u64 *known_start, ham_u64 *known_end)
{
	*known_start = start;
	*known_end = end;
	return mem_hotadd_known(known_start, known_end);
}

/* In the words of the mainline module */
static const char *ham_vm_reason(int error)
{
	switch (-error) {
	case EROFS:
		return "the VM cannot use read-only memory";
	case EEXIST:
		return "overlaps a reserved range or a device";
	case ENODEV:
		return "no RAM behind the address";
	default:
		return "the VM could not integrate it";
	}
}

int ham_vm_integrate(ham_u64 start, ham_u64 end, ham_u8 attr,
		     const char **why)
{
	int error = ham_fault();

	if (!error)
		error = mem_hotadd(start, end - start, attr);
	if (error) {
		*why = ham_vm_reason(error);
		return error;
	}
	/* What is integrated must stay listed: no unloading from here on */
	MOD_INC_USE_COUNT;
	return 0;
}

/* Never called: mem_hotadd() adds the whole of a request or nothing */
int ham_vm_undo(ham_u64 start, ham_u64 end)
{
	return -EOPNOTSUPP;
}

/* mem_hotadd() returns when every page is in use, and none is taken back */
int ham_vm_usable(ham_u64 start, ham_u64 end)
{
	return 1;
}
