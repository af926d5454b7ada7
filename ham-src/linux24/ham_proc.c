// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/ham/status. A pass over the file works on one snapshot, taken when it
 * begins, so that whatever the size of the reads no range is shown twice or
 * left out because the list changed in between. Not every 2.4 kernel has
 * seq_file, and read_proc gives one page only.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>

#include <asm/semaphore.h>
#include <asm/uaccess.h>

#include "ham_linux24.h"

struct ham_pass {
	struct semaphore sem;	/* for those who share the open file */
	struct ham_range_info *ranges;
	ham_u32 count;
};

static int ham_pass_renew(struct ham_pass *pass)
{
	if (pass->ranges)
		ham_core_drop(&ham_core, pass->ranges, pass->count);
	pass->count = 0;
	pass->ranges = ham_core_take(&ham_core, &pass->count);
	return pass->ranges ? 0 : -ENOMEM;
}

/* Copies text to the reader, a page at a time; how much, or an errno */
static ssize_t ham_pass_copy(struct ham_pass *pass, char *page, char *buf,
			     size_t size, ham_u64 offset)
{
	unsigned long part, got;
	ssize_t done = 0;

	while (size) {
		part = size < PAGE_SIZE ? size : PAGE_SIZE;
		got = ham_core_text(pass->ranges, pass->count, offset + done,
				    page, part);
		if (!got)
			break;
		if (copy_to_user(buf + done, page, got))
			return done ? done : -EFAULT;
		done += got;
		size -= got;
	}
	return done;
}

static ssize_t ham_pass_read(struct ham_pass *pass, char *buf, size_t size,
			     loff_t offset)
{
	char *page = (char *)__get_free_page(GFP_KERNEL);
	ssize_t done = 0;

	if (!page)
		return -ENOMEM;
	if (offset == 0)
		done = ham_pass_renew(pass);
	if (!done)
		done = ham_pass_copy(pass, page, buf, size, offset);
	free_page((unsigned long)page);
	return done;
}

static ssize_t ham_status_read(struct file *file, char *buf, size_t size,
			       loff_t *pos)
{
	struct ham_pass *pass = file->private_data;
	loff_t offset = *pos;
	ssize_t done;

	if (offset < 0)
		return -EINVAL;
	if (!size)
		return 0;
	if (down_interruptible(&pass->sem))
		return -ERESTARTSYS;
	done = ham_pass_read(pass, buf, size, offset);
	up(&pass->sem);
	if (done > 0)
		*pos = offset + done;
	return done;
}

static int ham_status_open(struct inode *inode, struct file *file)
{
	struct ham_pass *pass = kmalloc(sizeof(*pass), GFP_KERNEL);
	int error;

	if (!pass)
		return -ENOMEM;
	init_MUTEX(&pass->sem);
	pass->ranges = NULL;
	error = ham_pass_renew(pass);
	if (error)
		kfree(pass);
	else
		file->private_data = pass;
	return error;
}

static int ham_status_release(struct inode *inode, struct file *file)
{
	struct ham_pass *pass = file->private_data;

	if (pass->ranges)
		ham_core_drop(&ham_core, pass->ranges, pass->count);
	kfree(pass);
	return 0;
}

static struct file_operations ham_status_ops = {
	.owner		= THIS_MODULE,
	.open		= ham_status_open,
	.read		= ham_status_read,
	.release	= ham_status_release,
};

static struct proc_dir_entry *ham_proc_root;

int ham_proc_register(void)
{
	struct proc_dir_entry *status;

	ham_proc_root = proc_mkdir("ham", NULL);
	if (!ham_proc_root)
		return -ENOMEM;
	/* Root only: physical addresses are nobody else's business */
	status = create_proc_entry("status", 0400, ham_proc_root);
	if (!status)
		goto no_status;
	/*
	 * No owner: concurrent lookups would count it more often than they give
	 * it back, and the module would stay. An open file holds it by its own.
	 */
	status->proc_fops = &ham_status_ops;
	if (ham_fault_register(ham_proc_root))
		goto no_fault;
	return 0;

no_fault:
	remove_proc_entry("status", ham_proc_root);
no_status:
	remove_proc_entry("ham", NULL);
	return -ENOMEM;
}

void ham_proc_unregister(void)
{
	ham_fault_unregister(ham_proc_root);
	remove_proc_entry("status", ham_proc_root);
	remove_proc_entry("ham", NULL);
}
