/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core of HAM: the list of ranges and the rules for it. Knows no kernel;
 * all that it needs comes through struct ham_port_ops, so that one source
 * serves mainline, Linux 2.4 and the tests on the host. C89, for gcc 2.95.
 */
#ifndef _HAM_CORE_H
#define _HAM_CORE_H

#include "ham.h"

/* A status line: two addresses, attribute, status, newline, NUL. */
#define HAM_LINE_MAX	64

/* Why a request was refused. Ranges are [start, end). */
struct ham_refusal {
	ham_u64 start, end;		/* the request */
	ham_u64 bad_start, bad_end;	/* the part of it that is at fault */
	const char *why;
	int error;			/* positive errno */
};

/*
 * What the core wants of its port. Ranges are [start, end), never empty.
 *
 * Two locks. The add lock serialises changes of the list's members; it is held
 * across integrate() and undo() and may sleep. The list lock is a
 * reader/writer lock, held briefly and never across anything that sleeps; it
 * nests inside the add lock.
 */
struct ham_port_ops {
	void *(*alloc)(unsigned long bytes);	/* may sleep; NULL if none */
	void (*free)(void *object);		/* must not sleep */

	void (*add_lock)(void);
	void (*add_unlock)(void);
	void (*read_lock)(void);
	void (*read_unlock)(void);
	void (*write_lock)(void);
	void (*write_unlock)(void);

	/* Alignment of what can be integrated: a power of two, in bytes. */
	ham_u64 (*alignment)(void);
	/* Can the kernel and the processor address all of the range? */
	int (*reachable)(ham_u64 start, ham_u64 end);
	/*
	 * Finds the lowest run of known RAM that overlaps the range; returns
	 * 0 if there is none. The run may reach beyond the range.
	 */
	int (*known)(ham_u64 start, ham_u64 end,
		     ham_u64 *known_start, ham_u64 *known_end);
	/*
	 * Hands the range to the VM. 0 or negative errno, and why then. Called
	 * for each piece that is missing; with whole set, once for all pieces
	 * and what is known between them, and then failure must leave nothing
	 * behind, and undo() is not used.
	 */
	int whole;
	int (*integrate)(ham_u64 start, ham_u64 end, ham_u8 attr,
			 const char **why);
	/* Takes out again what integrate() put in. 0 or negative errno. */
	int (*undo)(ham_u64 start, ham_u64 end);
	/* Are all pages in use? Called under the list lock. */
	int (*usable)(ham_u64 start, ham_u64 end);

	void (*refused)(const struct ham_refusal *refusal);
	void (*not_undone)(ham_u64 start, ham_u64 end, int error);

	/* Room for a copy of the list: may be more than alloc() gives. */
	void *(*big_alloc)(unsigned long bytes);	/* may sleep */
	void (*big_free)(void *object, unsigned long bytes);

	/* For ham_core_ioctl(): the caller's memory; 0 or -EFAULT. */
	int (*get)(void *to, ham_u64 from, unsigned long bytes);
	int (*put)(ham_u64 to, const void *from, unsigned long bytes);
	/* May the caller change how much memory there is? */
	int (*privileged)(void);
	void (*ioctl_refused)(const char *ioctl, const char *why, int error);
};

struct ham_range;

/* The list, sorted by start and disjoint. */
struct ham_core {
	const struct ham_port_ops *ops;
	struct ham_range *first;
	ham_u32 count;
};

void ham_core_init(struct ham_core *core, const struct ham_port_ops *ops);
void ham_core_destroy(struct ham_core *core);

/*
 * Makes [start, start + size) part of the system as far as it is not.
 * 0 or negative errno; may sleep.
 */
int ham_core_add(struct ham_core *core, ham_u64 start, ham_u64 size,
		 ham_u8 attr);

/*
 * Tries every FAILED range once more. 0, or the errno of the first that still
 * fails; tried and failed of result are filled in either way. May sleep.
 */
int ham_core_retry(struct ham_core *core, struct ham_retry *result);

/* To be called after pages of [start, end) came online or went offline. */
void ham_core_refresh(struct ham_core *core, ham_u64 start, ham_u64 end);

/* Fills in total, enabled, present and failed. */
void ham_core_count(struct ham_core *core, struct ham_count *count);

/*
 * Copies the list as it is at one moment, at most capacity entries. Returns
 * how many there are.
 */
ham_u32 ham_core_snapshot(struct ham_core *core, struct ham_range_info *into,
			  ham_u32 capacity);

/*
 * The same for readers that sleep while they use it: the whole list, to be
 * given back with ham_core_drop(). NULL when out of memory. May sleep.
 */
struct ham_range_info *ham_core_take(struct ham_core *core, ham_u32 *count);
void ham_core_drop(struct ham_core *core, struct ham_range_info *ranges,
		   ham_u32 count);

/*
 * An ioctl of /dev/ham; arg is the address of its structure. 0 or negative
 * errno: ENOTTY for numbers that are not HAM's. May sleep.
 */
int ham_core_ioctl(struct ham_core *core, ham_u32 cmd, ham_u64 arg);

/* Writes the status line of a range; returns its length without the NUL. */
int ham_core_format(char line[HAM_LINE_MAX], const struct ham_range_info *info);

/*
 * Copies what of the status lines of count ranges lies at offset, at most size
 * bytes. Returns how many; 0 at the end.
 */
unsigned long ham_core_text(const struct ham_range_info *ranges, ham_u32 count,
			    ham_u64 offset, char *into, unsigned long size);

#endif /* _HAM_CORE_H */
