// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/ham, and what its ioctls in the core need of this kernel. Its major
 * number is the next free one: hamctl makes the node from /proc/devices.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include <asm/uaccess.h>

#include "ham_linux24.h"

#define HAM_LINES	10
#define HAM_PERIOD	(5 * HZ)

int ham_dev_get(void *to, ham_u64 from, unsigned long bytes)
{
	void *user = (void *)(unsigned long)from;

	if (from >> 32)
		return -EFAULT;
	return copy_from_user(to, user, bytes) ? -EFAULT : 0;
}

int ham_dev_put(ham_u64 to, const void *from, unsigned long bytes)
{
	void *user = (void *)(unsigned long)to;

	if (to >> 32)
		return -EFAULT;
	return copy_to_user(user, from, bytes) ? -EFAULT : 0;
}

int ham_dev_privileged(void)
{
	return capable(CAP_SYS_ADMIN);
}

/* A few lines each few seconds, however often somebody calls */
static int ham_dev_may_log(void)
{
	static spinlock_t lock = SPIN_LOCK_UNLOCKED;
	static unsigned long begin;
	static int logged;
	int may;

	spin_lock(&lock);
	if (!logged || jiffies - begin > HAM_PERIOD) {
		begin = jiffies;
		logged = 0;
	}
	may = logged < HAM_LINES;
	logged += may;
	spin_unlock(&lock);
	return may;
}

void ham_dev_refused(const char *ioctl, const char *why, int error)
{
	if (ham_dev_may_log())
		printk(KERN_ERR "ham: ioctl %s: refused: %s (%d)\n", ioctl,
		       why, error);
}

static int ham_dev_ioctl(struct inode *inode, struct file *file,
			 unsigned int cmd, unsigned long arg)
{
	return ham_core_ioctl(&ham_core, cmd, arg);
}

static struct file_operations ham_dev_fops = {
	.owner	= THIS_MODULE,
	.ioctl	= ham_dev_ioctl,
};

static int ham_major;

int ham_dev_register(void)
{
	ham_major = register_chrdev(0, "ham", &ham_dev_fops);
	return ham_major < 0 ? ham_major : 0;
}

void ham_dev_unregister(void)
{
	unregister_chrdev(ham_major, "ham");
}
