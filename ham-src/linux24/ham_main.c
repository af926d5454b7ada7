// SPDX-License-Identifier: GPL-2.0-only
/* The module: the core's port to Linux 2.4, and ham_hot_add(). */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include <asm/semaphore.h>

#include "ham_linux24.h"

#ifdef HAM_TEST
#define HAM_FLAVOUR	" (test build)"
#else
#define HAM_FLAVOUR	""
#endif

struct ham_core ham_core;

static DECLARE_MUTEX(ham_add_sem);
static rwlock_t ham_list_lock = RW_LOCK_UNLOCKED;

static void *ham_port_alloc(unsigned long bytes)
{
	return kmalloc(bytes, GFP_KERNEL);
}

static void ham_port_free(void *object)
{
	kfree(object);
}

/* A long list is more than kmalloc() may find in one piece */
static void *ham_port_big_alloc(unsigned long bytes)
{
	return bytes <= PAGE_SIZE ? kmalloc(bytes, GFP_KERNEL) : vmalloc(bytes);
}

static void ham_port_big_free(void *object, unsigned long bytes)
{
	if (bytes <= PAGE_SIZE)
		kfree(object);
	else
		vfree(object);
}

static void ham_port_add_lock(void)
{
	down(&ham_add_sem);
}

static void ham_port_add_unlock(void)
{
	up(&ham_add_sem);
}

static void ham_port_read_lock(void)
{
	read_lock(&ham_list_lock);
}

static void ham_port_read_unlock(void)
{
	read_unlock(&ham_list_lock);
}

static void ham_port_write_lock(void)
{
	write_lock(&ham_list_lock);
}

static void ham_port_write_unlock(void)
{
	write_unlock(&ham_list_lock);
}

static void ham_port_refused(const struct ham_refusal *r)
{
	if (r->bad_start == r->start && r->bad_end == r->end)
		printk(KERN_ERR "ham: %016Lx-%016Lx: refused: %s (%d)\n",
		       r->start, r->end - 1, r->why, r->error);
	else
		printk(KERN_ERR
		       "ham: %016Lx-%016Lx: refused: %s at %016Lx-%016Lx (%d)\n",
		       r->start, r->end - 1, r->why,
		       r->bad_start, r->bad_end - 1, r->error);
}

static void ham_port_not_undone(ham_u64 start, ham_u64 end, int error)
{
	printk(KERN_WARNING
	       "ham: %016Lx-%016Lx: cannot be taken out again, stays (%d)\n",
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
	.whole		= 1,
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

int ham_hot_add(__u64 start, __u64 size, __u8 attr)
{
	return ham_core_add(&ham_core, start, size, attr);
}

static int __init ham_init(void)
{
	int error;

	ham_core_init(&ham_core, &ham_port);
	error = ham_proc_register();
	if (error)
		return error;
	error = ham_dev_register();
	if (error) {
		ham_proc_unregister();
		return error;
	}
	inter_module_register(HAM_HOT_ADD, THIS_MODULE, (void *)ham_hot_add);
	printk(KERN_INFO "ham: version " HAM_VERSION HAM_FLAVOUR
	       ", memory blocks of %lu MiB\n",
	       (unsigned long)(ham_vm_alignment() >> 20));
	return 0;
}

/* Reached only while nothing is integrated: see ham_vm_integrate() */
static void __exit ham_exit(void)
{
	inter_module_unregister(HAM_HOT_ADD);
	ham_dev_unregister();
	ham_proc_unregister();
	ham_core_destroy(&ham_core);
}

module_init(ham_init);
module_exit(ham_exit);

EXPORT_NO_SYMBOLS;

MODULE_DESCRIPTION("Hot-Add Memory: between memory hot-plug drivers and the VM");
MODULE_AUTHOR("The hamkit authors");
MODULE_LICENSE("GPL");
#ifdef HAM_TEST
static const char ham_test[] __attribute__((section(".modinfo"), unused)) =
	"ham_test=y";
#endif
