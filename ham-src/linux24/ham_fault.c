// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults made on purpose, in test builds: module parameters as on mainline,
 * and as 2.4 has no sysfs, files of the same names in /proc/ham.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/proc_fs.h>

#include <asm/uaccess.h>

#include "ham_linux24.h"

#ifdef HAM_TEST

#define HAM_LAST_ERRNO	4095

static int fail_next;
MODULE_PARM(fail_next, "i");
MODULE_PARM_DESC(fail_next, "make so many integrations fail (test builds)");

static int fail_skip;
MODULE_PARM(fail_skip, "i");
MODULE_PARM_DESC(fail_skip, "let so many pass before fail_next counts");

static int fail_errno = ENOMEM;
MODULE_PARM(fail_errno, "i");
MODULE_PARM_DESC(fail_errno, "errno of the failures made, ENOMEM by default");

static struct ham_fault_file {
	const char *name;
	int *value;
} ham_fault_files[] = {
	{ "fail_next", &fail_next },
	{ "fail_skip", &fail_skip },
	{ "fail_errno", &fail_errno },
};

#define HAM_FAULT_FILES	(sizeof(ham_fault_files) / sizeof(ham_fault_files[0]))

static int ham_fault_read(char *page, char **start, off_t offset, int count,
			  int *eof, void *data)
{
	*eof = 1;
	return sprintf(page, "%d\n", *(int *)data);
}

/* Decimal digits and a newline, nothing else */
static int ham_fault_write(struct file *file, const char *buffer,
			   unsigned long count, void *data)
{
	char text[11];	/* so that no int overflows */
	unsigned long i;
	int value = 0;

	if (!count || count >= sizeof(text) - 1)
		return -EINVAL;
	if (copy_from_user(text, buffer, count))
		return -EFAULT;
	for (i = 0; i < count && text[i] >= '0' && text[i] <= '9'; i++)
		value = value * 10 + text[i] - '0';
	if (!i || (i < count && text[i] != '\n'))
		return -EINVAL;
	*(int *)data = value;
	return count;
}

/* Called with the add lock held; a racing write to a file is harmless */
int ham_fault(void)
{
	if (fail_next <= 0)
		return 0;
	if (fail_skip > 0) {
		fail_skip--;
		return 0;
	}
	fail_next--;
	return fail_errno > 0 && fail_errno <= HAM_LAST_ERRNO ? -fail_errno :
								-ENOMEM;
}

void ham_fault_unregister(struct proc_dir_entry *folder)
{
	unsigned int i;

	for (i = 0; i < HAM_FAULT_FILES; i++)
		remove_proc_entry(ham_fault_files[i].name, folder);
}

int ham_fault_register(struct proc_dir_entry *folder)
{
	struct proc_dir_entry *file;
	unsigned int i;

	for (i = 0; i < HAM_FAULT_FILES; i++) {
		file = create_proc_entry(ham_fault_files[i].name, 0600, folder);
		if (!file) {
			ham_fault_unregister(folder);
			return -ENOMEM;
		}
		file->read_proc = ham_fault_read;
		file->write_proc = ham_fault_write;
		file->data = ham_fault_files[i].value;
		file->owner = THIS_MODULE;
	}
	return 0;
}

#endif /* HAM_TEST */
