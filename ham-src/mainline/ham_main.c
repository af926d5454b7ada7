// SPDX-License-Identifier: GPL-2.0-only
/* The module: the core's port to mainline kernels, and ham_hot_add(). */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/export.h>
#include <linux/init.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pfn.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "ham_mainline.h"

#ifdef HAM_TEST
#define HAM_FLAVOUR	" (test build)"
#else
#define HAM_FLAVOUR	""
#endif

struct ham_core ham_core;

static DEFINE_MUTEX(ham_add_mutex);
static DEFINE_RWLOCK(ham_list_lock);

static void *ham_port_alloc(unsigned long bytes)
{
	return kmalloc(bytes, GFP_KERNEL);
}

static void ham_port_free(void *object)
{
	kfree(object);
}

static void *ham_port_big_alloc(unsigned long bytes)
{
	return kvmalloc(bytes, GFP_KERNEL);
}

static void ham_port_big_free(void *object, unsigned long bytes)
{
	kvfree(object);
}

static void ham_port_add_lock(void)
{
	mutex_lock(&ham_add_mutex);
}

static void ham_port_add_unlock(void)
{
	mutex_unlock(&ham_add_mutex);
}

static void ham_port_read_lock(void) __acquires(&ham_list_lock)
{
	read_lock(&ham_list_lock);
}

static void ham_port_read_unlock(void) __releases(&ham_list_lock)
{
	read_unlock(&ham_list_lock);
}

static void ham_port_write_lock(void) __acquires(&ham_list_lock)
{
	write_lock(&ham_list_lock);
}

static void ham_port_write_unlock(void) __releases(&ham_list_lock)
{
	write_unlock(&ham_list_lock);
}

static void ham_port_refused(const struct ham_refusal *r)
{
	if (r->bad_start == r->start && r->bad_end == r->end)
		pr_err("%016llx-%016llx: refused: %s (%d)\n",
		       r->start, r->end - 1, r->why, r->error);
	else
		pr_err("%016llx-%016llx: refused: %s at %016llx-%016llx (%d)\n",
		       r->start, r->end - 1, r->why,
		       r->bad_start, r->bad_end - 1, r->error);
}

static void ham_port_not_undone(u64 start, u64 end, int error)
{
	pr_warn("%016llx-%016llx: cannot be taken out again, stays (%d)\n",
		start, end - 1, error);
}

static const struct ham_port_ops ham_port = {
	.alloc		= ham_port_alloc,
	.free		= ham_port_free,
	.add_lock	= ham_port_add_lock,
	.add_unlock	= ham_port_add_unlock,
	.read_lock	= ham_port_read_lock,
	.read_unlock	= ham_port_read_unlock,
	.write_lock	= ham_port_write_lock,
	.write_unlock	= ham_port_write_unlock,
	.alignment	= ham_vm_alignment,
	.reachable	= ham_vm_reachable,
	.known		= ham_vm_known,
	.integrate	= ham_vm_integrate,
	.undo		= ham_vm_undo,
	.usable		= ham_vm_usable,
	.refused	= ham_port_refused,
	.not_undone	= ham_port_not_undone,
	.big_alloc	= ham_port_big_alloc,
	.big_free	= ham_port_big_free,
	.get		= ham_dev_get,
	.put		= ham_dev_put,
	.privileged	= ham_dev_privileged,
	.ioctl_refused	= ham_dev_refused,
};

int ham_hot_add(u64 start, u64 size, u8 attr)
{
	might_sleep();
	return ham_core_add(&ham_core, start, size, attr);
}
EXPORT_SYMBOL_GPL(ham_hot_add);

static int ham_memory_event(struct notifier_block *nb, unsigned long action,
			    void *data)
{
	struct memory_notify *change = data;

	if (action == MEM_ONLINE || action == MEM_OFFLINE)
		ham_core_refresh(&ham_core, PFN_PHYS(change->start_pfn),
				 PFN_PHYS(change->start_pfn +
					  change->nr_pages));
	return NOTIFY_OK;
}

static struct notifier_block ham_memory_nb = {
	.notifier_call = ham_memory_event,
};

static int __init ham_init(void)
{
	int error;

	ham_core_init(&ham_core, &ham_port);
	error = register_memory_notifier(&ham_memory_nb);
	if (error)
		return error;
	error = ham_proc_register();
	if (error)
		goto no_proc;
	error = ham_dev_register();
	if (error)
		goto no_dev;
	pr_info("version " HAM_VERSION HAM_FLAVOUR
		", memory blocks of %llu MiB\n", ham_vm_alignment() >> 20);
	return 0;

no_dev:
	ham_proc_unregister();
no_proc:
	unregister_memory_notifier(&ham_memory_nb);
	return error;
}

/* Reached only while nothing is integrated: see ham_vm_integrate() */
static void __exit ham_exit(void)
{
	ham_dev_unregister();
	ham_proc_unregister();
	unregister_memory_notifier(&ham_memory_nb);
	ham_core_destroy(&ham_core);
}

module_init(ham_init);
module_exit(ham_exit);

MODULE_DESCRIPTION("Hot-Add Memory: between memory hot-plug drivers and the VM");
MODULE_AUTHOR("The hamkit authors");
MODULE_VERSION(HAM_VERSION);
MODULE_LICENSE("GPL");
#ifdef HAM_TEST
MODULE_INFO(ham_test, "y");
#endif
