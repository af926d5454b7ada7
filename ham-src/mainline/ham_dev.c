// SPDX-License-Identifier: GPL-2.0-only
/* /dev/ham, and what its ioctls in the core need of this kernel. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/printk.h>
#include <linux/uaccess.h>

#include "ham_mainline.h"

int ham_dev_get(void *to, u64 from, unsigned long bytes)
{
	return copy_from_user(to, u64_to_user_ptr(from), bytes) ? -EFAULT : 0;
}

int ham_dev_put(u64 to, const void *from, unsigned long bytes)
{
	return copy_to_user(u64_to_user_ptr(to), from, bytes) ? -EFAULT : 0;
}

int ham_dev_privileged(void)
{
	return capable(CAP_SYS_ADMIN);
}

void ham_dev_refused(const char *ioctl, const char *why, int error)
{
	pr_err_ratelimited("ioctl %s: refused: %s (%d)\n", ioctl, why, error);
}

static long ham_dev_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	return ham_core_ioctl(&ham_core, cmd, arg);
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
