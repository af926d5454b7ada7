// SPDX-License-Identifier: GPL-2.0-only
/*
 * /proc/ham/status. A pass over the file works on one snapshot, taken when it
 * begins, so that whatever the size of the reads no range is shown twice or
 * left out because the list changed in between.
 */
#include <linux/errno.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "ham_mainline.h"

struct ham_pass {
	struct ham_range_info *ranges;
	u32 count;
};

static void ham_pass_drop(struct ham_pass *pass)
{
	if (pass->ranges)
		ham_core_drop(&ham_core, pass->ranges, pass->count);
	pass->ranges = NULL;
	pass->count = 0;
}

static void *ham_status_start(struct seq_file *m, loff_t *pos)
{
	struct ham_pass *pass = m->private;

	if (*pos == 0) {
		ham_pass_drop(pass);
		pass->ranges = ham_core_take(&ham_core, &pass->count);
		if (!pass->ranges)
			return ERR_PTR(-ENOMEM);
	}
	return *pos < pass->count ? &pass->ranges[*pos] : NULL;
}

static void *ham_status_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct ham_pass *pass = m->private;

	++*pos;
	return *pos < pass->count ? &pass->ranges[*pos] : NULL;
}

static void ham_status_stop(struct seq_file *m, void *v)
{
}

static int ham_status_show(struct seq_file *m, void *v)
{
	char line[HAM_LINE_MAX];

	ham_core_format(line, v);
	seq_puts(m, line);
	return 0;
}

static const struct seq_operations ham_status_seq = {
	.start	= ham_status_start,
	.next	= ham_status_next,
	.stop	= ham_status_stop,
	.show	= ham_status_show,
};

static int ham_status_open(struct inode *inode, struct file *file)
{
	return seq_open_private(file, &ham_status_seq, sizeof(struct ham_pass));
}

static int ham_status_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;
	struct ham_pass *pass = m->private;

	ham_pass_drop(pass);
	return seq_release_private(inode, file);
}

static const struct proc_ops ham_status_ops = {
	.proc_open	= ham_status_open,
	.proc_read	= seq_read,
	.proc_lseek	= seq_lseek,
	.proc_release	= ham_status_release,
};

static struct proc_dir_entry *ham_proc_root;

int ham_proc_register(void)
{
	ham_proc_root = proc_mkdir("ham", NULL);
	if (!ham_proc_root)
		return -ENOMEM;
	/* Root only: physical addresses are nobody else's business */
	if (!proc_create("status", 0400, ham_proc_root, &ham_status_ops)) {
		proc_remove(ham_proc_root);
		return -ENOMEM;
	}
	return 0;
}

void ham_proc_unregister(void)
{
	proc_remove(ham_proc_root);
}
