/* SPDX-License-Identifier: GPL-2.0-only */
typedef struct page {
	unsigned long flags;
	wait_queue_head_t wait;
	void *virtual;			/* struct zone_struct *not_this; */
	struct zone_struct *zone;
} mem_map_t;
