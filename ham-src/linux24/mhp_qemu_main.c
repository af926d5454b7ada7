// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory hot-plug driver for QEMU's DIMM slots, on kernels that know neither
 * ACPI nor memory hot-plug. Registers: docs/specs/acpi_mem_hotplug of QEMU.
 *
 * Plugging raises GPE 3, which comes as ACPI's interrupt (SCI). The handler
 * only acknowledges it; what is plugged is found and handed to HAM by keventd,
 * the kernel thread for work that sleeps. A timer looks too: where there is no
 * interrupt to be had, and for one that was lost.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/tqueue.h>

#include <asm/io.h>
#include <asm/system.h>
/* In old trees it counts on the one before */
#include <linux/interrupt.h>

#include "linux24.h"
#include "ham.h"
#include "mhp_acpi.h"

#define MHP_BASE	0x0a00
#define MHP_PORTS	0x18
#define MHP_GPE		3	/* memory hot-plug */
#define MHP_SLOTS	256	/* the most there can be; others read 0 */

/* Of the selected slot, read */
#define MHP_ADDRESS_LOW		0x00
#define MHP_ADDRESS_HIGH	0x04
#define MHP_LENGTH_LOW		0x08
#define MHP_LENGTH_HIGH		0x0c
#define MHP_FLAGS		0x14
/* Written */
#define MHP_SELECT		0x00
#define MHP_OST_EVENT		0x04
#define MHP_OST_STATUS		0x08
#define MHP_CONTROL		0x14

#define MHP_ENABLED		0x01
#define MHP_INSERTING		0x02	/* writing it clears it */

/* What _OST would tell: ACPI specification 6.0, section 6.3.5 */
#define OST_DEVICE_CHECK	1
#define OST_SUCCESS		0
#define OST_FAILURE		1

static int base = MHP_BASE;
MODULE_PARM(base, "i");
MODULE_PARM_DESC(base, "first I/O port of the registers");

static int poll;
MODULE_PARM(poll, "i");
MODULE_PARM_DESC(poll, "1: do not use the interrupt, look four times a second");

static ham_interface_t ham_hot_add_func;
static struct mhp_acpi acpi;
static unsigned int irq;		/* 0: none, the timer has to do */
static unsigned char handled[MHP_SLOTS];
static unsigned int events;		/* interrupts so far */

static struct tq_struct mhp_task;
static struct timer_list mhp_timer;
static spinlock_t mhp_lock = SPIN_LOCK_UNLOCKED;
static int stopping;

static unsigned int mhp_read(unsigned int offset)
{
	return inl(base + offset);
}

static void mhp_write(unsigned int offset, unsigned int value)
{
	outl(value, base + offset);
}

static u64 mhp_read64(unsigned int low, unsigned int high)
{
	return (u64)mhp_read(high) << 32 | mhp_read(low);
}

/* Nobody at the ports reads as all ones; a slot has at most three bits set */
static int mhp_present(void)
{
	mhp_write(MHP_SELECT, 0);
	return inb(base + MHP_FLAGS) != 0xff;
}

static void mhp_report(unsigned int slot, const char *how)
{
	u64 start = mhp_read64(MHP_ADDRESS_LOW, MHP_ADDRESS_HIGH);
	u64 size = mhp_read64(MHP_LENGTH_LOW, MHP_LENGTH_HIGH);
	int result = (*ham_hot_add_func)(start, size, HAM_ATTR_RW);

	/* HAM may have slept; only keventd selects, so the slot still is */
	mhp_write(MHP_OST_EVENT, OST_DEVICE_CHECK);
	mhp_write(MHP_OST_STATUS, result ? OST_FAILURE : OST_SUCCESS);
	printk(KERN_INFO "mhp_qemu: slot %u, %s: %016Lx-%016Lx rw: %d\n", slot,
	       how, start, start + size - 1, result);
}

/* Runs in keventd, never twice at a time */
static void mhp_look(void *unused)
{
	static unsigned int seen;
	const char *how = events != seen ? "by event" : "by polling";
	unsigned int slot, flags;

	seen = events;
	for (slot = 0; slot < MHP_SLOTS; slot++) {
		mhp_write(MHP_SELECT, slot);
		flags = inb(base + MHP_FLAGS);
		if (flags & MHP_INSERTING) {
			outb(MHP_INSERTING, base + MHP_CONTROL);
			handled[slot] = 0;
		}
		if (!(flags & MHP_ENABLED)) {
			handled[slot] = 0;
		} else if (!handled[slot]) {
			handled[slot] = 1;
			mhp_report(slot, how);
		}
	}
}

static void mhp_interrupt(int number, void *id, struct pt_regs *regs)
{
	if (!mhp_acpi_gpe_pending(&acpi, MHP_GPE))
		return;
	mhp_acpi_gpe_clear(&acpi, MHP_GPE);
	events++;
	schedule_task(&mhp_task);
}

static void mhp_tick(unsigned long unused)
{
	unsigned long flags;

	spin_lock_irqsave(&mhp_lock, flags);
	if (!stopping) {
		schedule_task(&mhp_task);
		mod_timer(&mhp_timer, jiffies + (irq ? HZ : HZ / 4));
	}
	spin_unlock_irqrestore(&mhp_lock, flags);
}

/* The interrupt of events, if this machine and kernel allow it; or why not */
static const char *mhp_use_interrupt(void)
{
	if (poll)
		return "as asked for";
	if (mhp_acpi_find(&acpi))
		return "no ACPI tables";
	if (mhp_acpi_enable(&acpi))
		return "ACPI mode cannot be turned on";
	if (!acpi.sci_irq || request_irq(acpi.sci_irq, mhp_interrupt, SA_SHIRQ,
					 "mhp_qemu", &acpi))
		return "ACPI's interrupt cannot be had";
	irq = acpi.sci_irq;
	mhp_acpi_gpe_clear(&acpi, MHP_GPE);
	mhp_acpi_gpe_unmask(&acpi, MHP_GPE);
	return NULL;
}

static void mhp_start(void)
{
	const char *why;

	mhp_task.routine = mhp_look;
	why = mhp_use_interrupt();
	if (why)
		printk(KERN_INFO "mhp_qemu: slots are polled: %s\n", why);
	else
		printk(KERN_INFO "mhp_qemu: events come by interrupt %u\n",
		       irq);
	init_timer(&mhp_timer);
	mhp_timer.function = mhp_tick;
	mhp_timer.expires = jiffies + 1;
	add_timer(&mhp_timer);
}

static int __init mhp_qemu_init(void)
{
	if (!request_region(base, MHP_PORTS, "mhp_qemu")) {
		printk(KERN_ERR "mhp_qemu: ports %x are in use\n", base);
		return -EBUSY;
	}
	if (!mhp_present()) {
		printk(KERN_ERR "mhp_qemu: no DIMM slots at port %x\n", base);
		release_region(base, MHP_PORTS);
		return -ENODEV;
	}
	ham_hot_add_func = (ham_interface_t)
		inter_module_get_request(HAM_HOT_ADD, "ham");
	if (ham_hot_add_func == NULL) {
		printk(KERN_ERR "mhp_qemu: HAM is missing: load the module ham\n");
		release_region(base, MHP_PORTS);
		return -ENODEV;
	}
	mhp_start();
	return 0;
}

static void __exit mhp_qemu_exit(void)
{
	unsigned long flags;

	spin_lock_irqsave(&mhp_lock, flags);
	stopping = 1;
	spin_unlock_irqrestore(&mhp_lock, flags);
	del_timer_sync(&mhp_timer);
	if (irq) {
		mhp_acpi_gpe_mask(&acpi, MHP_GPE);
		free_irq(irq, &acpi);
	}
	flush_scheduled_tasks();
	release_region(base, MHP_PORTS);
	inter_module_put(HAM_HOT_ADD);
}

module_init(mhp_qemu_init);
module_exit(mhp_qemu_exit);

EXPORT_NO_SYMBOLS;

MODULE_DESCRIPTION("Memory hot-plug driver for QEMU's DIMM slots, for HAM");
MODULE_AUTHOR("The hamkit authors");
MODULE_LICENSE("GPL");
