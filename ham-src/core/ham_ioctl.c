// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of /dev/ham, one for both kernel lines. */
#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#include <stddef.h>
#include <sys/ioctl.h>
#endif

#include "ham_core.h"

static int ham_ioctl_fault(struct ham_core *core, const char *name,
			   const char *why, int error)
{
	core->ops->ioctl_refused(name, why, -error);
	return error;
}

/* Copies an argument in and checks its head, which comes first in each */
static int ham_ioctl_get(struct ham_core *core, const char *name, void *arg,
			 unsigned long size, ham_u64 from)
{
	const struct ham_head *head = arg;

	if (core->ops->get(arg, from, size))
		return ham_ioctl_fault(core, name, "bad pointer", -EFAULT);
	if (head->version != HAM_ABI_VERSION)
		return ham_ioctl_fault(core, name, "unknown version", -EINVAL);
	if (head->size != size)
		return ham_ioctl_fault(core, name, "wrong size", -EINVAL);
	return 0;
}

static int ham_ioctl_put(struct ham_core *core, const char *name, ham_u64 to,
			 const void *from, unsigned long size)
{
	if (core->ops->put(to, from, size))
		return ham_ioctl_fault(core, name, "bad pointer", -EFAULT);
	return 0;
}

/* Whoever changes how much memory there is must be more than the opener */
static int ham_ioctl_allowed(struct ham_core *core, const char *name)
{
	if (!core->ops->privileged())
		return ham_ioctl_fault(core, name, "not permitted", -EPERM);
	return 0;
}

static int ham_ioctl_retry(struct ham_core *core, ham_u64 arg)
{
	struct ham_retry retry;
	int error, fault;

	error = ham_ioctl_allowed(core, "RETRY");
	if (!error)
		error = ham_ioctl_get(core, "RETRY", &retry, sizeof(retry),
				      arg);
	if (error)
		return error;
	error = ham_core_retry(core, &retry);
	fault = ham_ioctl_put(core, "RETRY", arg, &retry, sizeof(retry));
	return fault ? fault : error;
}

static int ham_ioctl_count(struct ham_core *core, ham_u64 arg)
{
	struct ham_count count;
	int error;

	error = ham_ioctl_get(core, "COUNT", &count, sizeof(count), arg);
	if (error)
		return error;
	ham_core_count(core, &count);
	return ham_ioctl_put(core, "COUNT", arg, &count, sizeof(count));
}

static int ham_list_copy(struct ham_core *core, struct ham_list *list,
			 const struct ham_range_info *ranges)
{
	if (list->count > list->capacity)
		return ham_ioctl_fault(core, "LIST",
				       "more ranges than the buffer holds",
				       -ENOSPC);
	return ham_ioctl_put(core, "LIST", list->buffer, ranges,
			     list->count * sizeof(*ranges));
}

static int ham_ioctl_list(struct ham_core *core, ham_u64 arg)
{
	struct ham_range_info *ranges;
	struct ham_list list;
	int error, fault;

	error = ham_ioctl_get(core, "LIST", &list, sizeof(list), arg);
	if (error)
		return error;
	if (list.entry_size != sizeof(*ranges) || list.pad)
		return ham_ioctl_fault(core, "LIST",
				       "wrong entry size or padding", -EINVAL);
	ranges = ham_core_take(core, &list.count);
	if (!ranges)
		return ham_ioctl_fault(core, "LIST", "out of memory", -ENOMEM);
	error = ham_list_copy(core, &list, ranges);
	ham_core_drop(core, ranges, list.count);
	if (error && error != -ENOSPC)
		return error;
	fault = ham_ioctl_put(core, "LIST", arg, &list, sizeof(list));
	return fault ? fault : error;
}

#ifdef HAM_TEST
static int ham_ioctl_add(struct ham_core *core, ham_u64 arg)
{
	struct ham_add add;
	unsigned int i;
	int error;

	error = ham_ioctl_allowed(core, "ADD");
	if (!error)
		error = ham_ioctl_get(core, "ADD", &add, sizeof(add), arg);
	if (error)
		return error;
	for (i = 0; i < sizeof(add.pad); i++)
		if (add.pad[i])
			return ham_ioctl_fault(core, "ADD",
					       "padding is not zero", -EINVAL);
	return ham_core_add(core, add.start, add.size, add.attr);
}
#endif

int ham_core_ioctl(struct ham_core *core, ham_u32 cmd, ham_u64 arg)
{
	switch (cmd) {
	case HAM_IOC_RETRY:
		return ham_ioctl_retry(core, arg);
	case HAM_IOC_COUNT:
		return ham_ioctl_count(core, arg);
	case HAM_IOC_LIST:
		return ham_ioctl_list(core, arg);
#ifdef HAM_TEST
	case HAM_IOC_ADD:
		return ham_ioctl_add(core, arg);
#endif
	default:
		return -ENOTTY;
	}
}
