/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the 2.4 module share. */
#ifndef _HAM_LINUX24_H
#define _HAM_LINUX24_H

#include <linux/config.h>
#include <linux/module.h>
#include <linux/types.h>

#ifndef CONFIG_MEM_HOTADD
#error "HAM needs a kernel with the hot-add patches and CONFIG_MEM_HOTADD"
#endif

#include "ham_core.h"
#include "linux24.h"

/* ham_main.c */
extern struct ham_core ham_core;

/* ham_vm.c */
ham_u64 ham_vm_alignment(void);
int ham_vm_reachable(ham_u64 start, ham_u64 end);
int ham_vm_known(ham_u64 start, ham_u64 end,
		 ham_u64 *known_start, ham_u64 *known_end);
int ham_vm_integrate(ham_u64 start, ham_u64 end, ham_u8 attr,
		     const char **why);
int ham_vm_undo(ham_u64 start, ham_u64 end);
int ham_vm_usable(ham_u64 start, ham_u64 end);

/* ham_dev.c */
int ham_dev_get(void *to, ham_u64 from, unsigned long bytes);
int ham_dev_put(ham_u64 to, const void *from, unsigned long bytes);
int ham_dev_privileged(void);
void ham_dev_refused(const char *ioctl, const char *why, int error);
int ham_dev_register(void);
void ham_dev_unregister(void);

/* ham_proc.c */
int ham_proc_register(void);
void ham_proc_unregister(void);

/* ham_fault.c, in test builds */
struct proc_dir_entry;
#ifdef HAM_TEST
int ham_fault_register(struct proc_dir_entry *folder);
void ham_fault_unregister(struct proc_dir_entry *folder);
int ham_fault(void);
#else
#define ham_fault_register(folder)	0
#define ham_fault_unregister(folder)	do { } while (0)
#define ham_fault()			0
#endif

#endif /* _HAM_LINUX24_H */
