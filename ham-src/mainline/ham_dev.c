// SPDX-License-Identifier: GPL-2.0-only
/* /dev/ham and its ioctls. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "ham_mainline.h"

static long ham_ioctl_fault(const char *name, const char *why, int error)
{
	pr_err_ratelimited("ioctl %s: refused: %s (%d)\n", name, why, -error);
	return error;
}

/* Copies an argument in and checks its head, which comes first in each */
static long ham_ioctl_get(const char *name, void *arg, size_t size,
			  const void __user *from)
{
	const struct ham_head *head = arg;

	if (copy_from_user(arg, from, size))
		return ham_ioctl_fault(name, "bad pointer", -EFAULT);
	if (head->version != HAM_ABI_VERSION)
		return ham_ioctl_fault(name, "unknown version", -EINVAL);
	if (head->size != size)
		return ham_ioctl_fault(name, "wrong size", -EINVAL);
	return 0;
}

static long ham_ioctl_put(const char *name, void __user *to, const void *from,
			  size_t size)
{
	if (copy_to_user(to, from, size))
		return ham_ioctl_fault(name, "bad pointer", -EFAULT);
	return 0;
}

/* Whoever changes how much memory there is must be more than the opener */
static long ham_ioctl_allowed(const char *name)
{
	if (!capable(CAP_SYS_ADMIN))
		return ham_ioctl_fault(name, "not permitted", -EPERM);
	return 0;
}

static long ham_ioctl_retry(void __user *arg)
{
	struct ham_retry retry;
	long error, fault;

	error = ham_ioctl_allowed("RETRY");
	if (!error)
		error = ham_ioctl_get("RETRY", &retry, sizeof(retry), arg);
	if (error)
		return error;
	error = ham_core_retry(&ham_core, &retry);
	fault = ham_ioctl_put("RETRY", arg, &retry, sizeof(retry));
	return fault ? fault : error;
}

static long ham_ioctl_count(void __user *arg)
{
	struct ham_count count;
	long error;

	error = ham_ioctl_get("COUNT", &count, sizeof(count), arg);
	if (error)
		return error;
	ham_core_count(&ham_core, &count);
	return ham_ioctl_put("COUNT", arg, &count, sizeof(count));
}

static long ham_list_copy(struct ham_list *list,
			  const struct ham_range_info *ranges)
{
	if (list->count > list->capacity)
		return ham_ioctl_fault("LIST", "more ranges than the buffer holds",
				       -ENOSPC);
	return ham_ioctl_put("LIST", u64_to_user_ptr(list->buffer), ranges,
			     list->count * sizeof(*ranges));
}

static long ham_ioctl_list(void __user *arg)
{
	struct ham_range_info *ranges;
	struct ham_list list;
	long error, fault;

	error = ham_ioctl_get("LIST", &list, sizeof(list), arg);
	if (error)
		return error;
	if (list.entry_size != sizeof(*ranges) || list.pad)
		return ham_ioctl_fault("LIST", "wrong entry size or padding",
				       -EINVAL);
	ranges = ham_snapshot(&list.count);
	if (!ranges)
		return ham_ioctl_fault("LIST", "out of memory", -ENOMEM);
	error = ham_list_copy(&list, ranges);
	kvfree(ranges);
	if (error && error != -ENOSPC)
		return error;
	fault = ham_ioctl_put("LIST", arg, &list, sizeof(list));
	return fault ? fault : error;
}

#ifdef HAM_TEST
static long ham_ioctl_add(void __user *arg)
{
	struct ham_add add;
	long error;

	error = ham_ioctl_allowed("ADD");
	if (!error)
		error = ham_ioctl_get("ADD", &add, sizeof(add), arg);
	if (error)
		return error;
	if (memchr_inv(add.pad, 0, sizeof(add.pad)))
		return ham_ioctl_fault("ADD", "padding is not zero", -EINVAL);
	return ham_hot_add(add.start, add.size, add.attr);
}
#endif

static long ham_dev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case HAM_IOC_RETRY:
		return ham_ioctl_retry(user);
	case HAM_IOC_COUNT:
		return ham_ioctl_count(user);
	case HAM_IOC_LIST:
		return ham_ioctl_list(user);
#ifdef HAM_TEST
	case HAM_IOC_ADD:
		return ham_ioctl_add(user);
#endif
	default:
		return -ENOTTY;
	}
}

static const struct file_operations ham_dev_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= ham_dev_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice ham_dev = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "ham",
	.fops	= &ham_dev_fops,
	.mode	= 0600,
};

int ham_dev_register(void)
{
	return misc_register(&ham_dev);
}

void ham_dev_unregister(void)
{
	misc_deregister(&ham_dev);
}
