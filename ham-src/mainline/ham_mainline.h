/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the mainline module share. */
#ifndef _HAM_MAINLINE_H
#define _HAM_MAINLINE_H

#include <linux/types.h>

#include "ham.h"
#include "ham_core.h"

/* ham_main.c */
extern struct ham_core ham_core;

/* ham_vm.c */
u64 ham_vm_alignment(void);
int ham_vm_reachable(u64 start, u64 end);
int ham_vm_known(u64 start, u64 end, u64 *known_start, u64 *known_end);
int ham_vm_integrate(u64 start, u64 end, u8 attr, const char **why);
int ham_vm_undo(u64 start, u64 end);
int ham_vm_usable(u64 start, u64 end);

/* ham_probe.c */
int ham_probe(u64 start, u64 end, const char **why);

/* ham_dev.c */
int ham_dev_get(void *to, u64 from, unsigned long bytes);
int ham_dev_put(u64 to, const void *from, unsigned long bytes);
int ham_dev_privileged(void);
void ham_dev_refused(const char *ioctl, const char *why, int error);
int ham_dev_register(void);
void ham_dev_unregister(void);

/* ham_proc.c */
int ham_proc_register(void);
void ham_proc_unregister(void);

#endif /* _HAM_MAINLINE_H */
