// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core of HAM: list of ranges, overlap rules, states, retry.
 *
 * A request is handled in this order: arguments, what of it is missing,
 * room in the list (all memory is allocated before the VM is touched), the VM,
 * and last the list, in one step under its lock. So a reader never sees a
 * request half done, and a refused one leaves nothing integrated.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "ham_core.h"

struct ham_range {
	struct ham_range *next;
	ham_u64 start;
	ham_u64 end;
	ham_u8 attr;
	ham_u8 status;
};

/* A request on its way through the core. */
struct ham_request {
	ham_u64 start;
	ham_u64 end;
	ham_u8 attr;
	struct ham_range *pieces;	/* what is missing, sorted */
	struct ham_range *spares;	/* for entries that get split */
	ham_u32 npieces;
	struct ham_refusal refusal;
};

void ham_core_init(struct ham_core *core, const struct ham_port_ops *ops)
{
	core->ops = ops;
	core->first = NULL;
	core->count = 0;
}

static void ham_free_chain(const struct ham_port_ops *ops,
			   struct ham_range *range)
{
	struct ham_range *next;

	while (range) {
		next = range->next;
		ops->free(range);
		range = next;
	}
}

void ham_core_destroy(struct ham_core *core)
{
	ham_free_chain(core->ops, core->first);
	core->first = NULL;
	core->count = 0;
}

/* Notes who is at fault and why; returns the errno for the caller to pass on */
static int ham_refuse(struct ham_request *rq, ham_u64 start, ham_u64 end,
		      const char *why, int error)
{
	rq->refusal.bad_start = start;
	rq->refusal.bad_end = end;
	rq->refusal.why = why;
	rq->refusal.error = -error;
	return error;
}

static int ham_refuse_all(struct ham_request *rq, const char *why, int error)
{
	return ham_refuse(rq, rq->refusal.start, rq->refusal.end, why, error);
}

static int ham_check_arguments(struct ham_core *core, struct ham_request *rq,
			       ham_u64 size)
{
	const char *why = NULL;

	if (rq->attr & ~HAM_ATTR_MASK)
		why = "unknown attribute";
	else if (size == 0)
		why = "size is zero";
	else if (rq->end < rq->start)
		why = "start plus size overflows";
	if (why)
		return ham_refuse_all(rq, why, -EINVAL);
	if (!core->ops->reachable(rq->start, rq->end))
		return ham_refuse_all(rq, "beyond the addressable range",
				      -E2BIG);
	return 0;
}

/* Appends [start, end) to the pieces of a request; tail is the last link */
static int ham_push_piece(struct ham_core *core, struct ham_request *rq,
			  ham_u64 start, ham_u64 end, struct ham_range ***tail)
{
	ham_u64 mask = core->ops->alignment() - 1;
	struct ham_range *piece;

	if ((start & mask) || (end & mask))
		return ham_refuse(rq, start, end,
				  "not aligned to the memory block", -EINVAL);
	if (rq->npieces == HAM_MAX_RANGES)
		return ham_refuse(rq, start, end,
				  "table of ranges is full", -ENOSPC);
	piece = core->ops->alloc(sizeof(*piece));
	if (!piece)
		return ham_refuse(rq, start, end, "out of memory", -ENOMEM);
	piece->next = NULL;
	piece->start = start;
	piece->end = end;
	piece->attr = rq->attr;
	piece->status = HAM_STATUS_PRESENT;
	**tail = piece;
	*tail = &piece->next;
	rq->npieces++;
	return 0;
}

/* Splits off of a request what the system does not know */
static int ham_find_missing(struct ham_core *core, struct ham_request *rq)
{
	struct ham_range **tail = &rq->pieces;
	ham_u64 known_start, known_end;
	ham_u64 at = rq->start;
	int error = 0;

	while (!error && at < rq->end) {
		if (!core->ops->known(at, rq->end, &known_start, &known_end)) {
			known_start = rq->end;
			known_end = rq->end;
		}
		if (known_start > at)
			error = ham_push_piece(core, rq, at, known_start,
					       &tail);
		at = known_end;
	}
	return error;
}

/* Into how many entries does carving the pieces out leave an entry? */
static ham_u32 ham_count_remains(const struct ham_range *entry,
				 const struct ham_range *piece)
{
	ham_u64 at = entry->start;
	ham_u32 remains = 0;

	for (; piece && piece->start < entry->end; piece = piece->next) {
		if (piece->end <= at)
			continue;
		if (piece->start > at)
			remains++;
		at = piece->end;
	}
	if (at < entry->end)
		remains++;
	return remains;
}

/*
 * Makes sure that the list can take the pieces: counts the entries to come and
 * allocates what splitting entries takes. Only adders change membership, and
 * the add lock is held, so the list lock is not needed for reading.
 */
static int ham_reserve(struct ham_core *core, struct ham_request *rq)
{
	ham_u32 total = rq->npieces;
	struct ham_range *entry, *spare;
	ham_u32 remains;

	for (entry = core->first; entry; entry = entry->next) {
		remains = ham_count_remains(entry, rq->pieces);
		total += remains;
		for (; remains > 1; remains--) {
			spare = core->ops->alloc(sizeof(*spare));
			if (!spare)
				return ham_refuse_all(rq, "out of memory",
						      -ENOMEM);
			spare->next = rq->spares;
			rq->spares = spare;
		}
	}
	if (total > HAM_MAX_RANGES)
		return ham_refuse_all(rq, "table of ranges is full", -ENOSPC);
	return 0;
}

/* Takes out the pieces before the one that was refused, and fails them all */
static void ham_undo_pieces(struct ham_core *core, struct ham_request *rq,
			    const struct ham_range *refused)
{
	struct ham_range *piece;
	int integrated = 1;
	int error;

	for (piece = rq->pieces; piece; piece = piece->next) {
		if (piece == refused)
			integrated = 0;
		error = integrated ?
			core->ops->undo(piece->start, piece->end) : 0;
		if (error)
			core->ops->not_undone(piece->start, piece->end, -error);
		else
			piece->status = HAM_STATUS_FAILED;
	}
}

/* One call of the VM, which adds all that is missing or nothing */
static int ham_integrate_whole(struct ham_core *core, struct ham_request *rq)
{
	const char *why = "refused by the VM";
	struct ham_range *piece, *last = NULL;
	int error;

	for (piece = rq->pieces; piece; piece = piece->next)
		last = piece;
	if (!last)
		return 0;
	error = core->ops->integrate(rq->pieces->start, last->end, rq->attr,
				     &why);
	if (!error)
		return 0;
	for (piece = rq->pieces; piece; piece = piece->next)
		piece->status = HAM_STATUS_FAILED;
	return ham_refuse(rq, rq->pieces->start, last->end, why, error);
}

static int ham_integrate_pieces(struct ham_core *core, struct ham_request *rq)
{
	const char *why = "refused by the VM";
	struct ham_range *piece;
	int error;

	if (core->ops->whole)
		return ham_integrate_whole(core, rq);
	for (piece = rq->pieces; piece; piece = piece->next) {
		error = core->ops->integrate(piece->start, piece->end,
					     piece->attr, &why);
		if (error) {
			ham_undo_pieces(core, rq, piece);
			return ham_refuse(rq, piece->start, piece->end, why,
					  error);
		}
	}
	return 0;
}

/* Puts what of an entry lies behind end into an entry of its own */
static void ham_split(struct ham_core *core, struct ham_request *rq,
		      struct ham_range *entry, ham_u64 end)
{
	struct ham_range *rest = rq->spares;

	rq->spares = rest->next;
	*rest = *entry;
	rest->start = end;
	entry->end = end;
	entry->next = rest;
	core->count++;
}

/*
 * Cuts [start, end) out of the list and returns the link behind which an entry
 * for it belongs. Entries that vanish become spares: they are freed after the
 * lock is dropped.
 */
static struct ham_range **ham_carve(struct ham_core *core,
				    struct ham_request *rq,
				    ham_u64 start, ham_u64 end)
{
	struct ham_range **link = &core->first;
	struct ham_range *entry;

	while ((entry = *link) && entry->start < end) {
		if (entry->end <= start) {
			link = &entry->next;
		} else if (entry->start < start) {
			if (entry->end > end)
				ham_split(core, rq, entry, end);
			entry->end = start;
			link = &entry->next;
		} else if (entry->end > end) {
			entry->start = end;
		} else {
			*link = entry->next;
			entry->next = rq->spares;
			rq->spares = entry;
			core->count--;
		}
	}
	return link;
}

static void ham_place_pieces(struct ham_core *core, struct ham_request *rq)
{
	struct ham_range **link, *piece;

	while ((piece = rq->pieces) != NULL) {
		rq->pieces = piece->next;
		link = ham_carve(core, rq, piece->start, piece->end);
		piece->next = *link;
		*link = piece;
		core->count++;
	}
}

/* FAILED entries inside a request that succeeded are known by now */
static void ham_settle(struct ham_core *core, const struct ham_request *rq)
{
	struct ham_range *entry;

	for (entry = core->first; entry; entry = entry->next)
		if (entry->status == HAM_STATUS_FAILED &&
		    entry->start >= rq->start && entry->end <= rq->end)
			entry->status = HAM_STATUS_PRESENT;
}

/*
 * A status follows what the port says of the pages. Evaluating and storing it
 * under one lock, after the pages have changed, loses no event. Only a request
 * that succeeds takes an entry out of FAILED.
 */
static void ham_refresh_locked(struct ham_core *core, ham_u64 start,
			       ham_u64 end)
{
	struct ham_range *entry;

	for (entry = core->first; entry; entry = entry->next) {
		if (entry->end <= start || entry->start >= end ||
		    entry->status == HAM_STATUS_FAILED)
			continue;
		entry->status = core->ops->usable(entry->start, entry->end) ?
				HAM_STATUS_ENABLED : HAM_STATUS_PRESENT;
	}
}

void ham_core_refresh(struct ham_core *core, ham_u64 start, ham_u64 end)
{
	core->ops->write_lock();
	ham_refresh_locked(core, start, end);
	core->ops->write_unlock();
}

static int ham_prepare(struct ham_core *core, struct ham_request *rq,
		       ham_u64 size)
{
	int error;

	error = ham_check_arguments(core, rq, size);
	if (!error)
		error = ham_find_missing(core, rq);
	if (!error)
		error = ham_reserve(core, rq);
	return error;
}

static int ham_carry_out(struct ham_core *core, struct ham_request *rq)
{
	int error;

	error = ham_integrate_pieces(core, rq);
	core->ops->write_lock();
	ham_place_pieces(core, rq);
	if (!error)
		ham_settle(core, rq);
	ham_refresh_locked(core, rq->start, rq->end);
	core->ops->write_unlock();
	return error;
}

static int ham_add_locked(struct ham_core *core, ham_u64 start, ham_u64 size,
			  ham_u8 attr)
{
	struct ham_request rq;
	int error;

	memset(&rq, 0, sizeof(rq));
	rq.start = start;
	rq.end = start + size;
	rq.attr = attr;
	rq.refusal.start = start;
	rq.refusal.end = rq.end > start ? rq.end : start + 1;
	error = ham_prepare(core, &rq, size);
	if (!error)
		error = ham_carry_out(core, &rq);
	ham_free_chain(core->ops, rq.pieces);
	ham_free_chain(core->ops, rq.spares);
	if (error)
		core->ops->refused(&rq.refusal);
	return error;
}

int ham_core_add(struct ham_core *core, ham_u64 start, ham_u64 size,
		 ham_u8 attr)
{
	int error;

	core->ops->add_lock();
	error = ham_add_locked(core, start, size, attr);
	core->ops->add_unlock();
	return error;
}

/* Copies the first FAILED entry that ends behind an address; 0 if none */
static int ham_next_failed(struct ham_core *core, ham_u64 behind,
			   struct ham_range *copy)
{
	struct ham_range *entry;

	core->ops->read_lock();
	for (entry = core->first; entry; entry = entry->next)
		if (entry->status == HAM_STATUS_FAILED && entry->end > behind)
			break;
	if (entry)
		*copy = *entry;
	core->ops->read_unlock();
	return entry != NULL;
}

int ham_core_retry(struct ham_core *core, struct ham_retry *result)
{
	struct ham_range copy;
	ham_u64 behind = 0;
	int first = 0;
	int error;

	result->tried = 0;
	result->failed = 0;
	core->ops->add_lock();
	while (ham_next_failed(core, behind, &copy)) {
		behind = copy.end;
		result->tried++;
		error = ham_add_locked(core, copy.start, copy.end - copy.start,
				       copy.attr);
		if (!error)
			continue;
		result->failed++;
		if (!first)
			first = error;
	}
	core->ops->add_unlock();
	return first;
}

void ham_core_count(struct ham_core *core, struct ham_count *count)
{
	ham_u32 by_status[3] = { 0, 0, 0 };
	struct ham_range *entry;

	core->ops->read_lock();
	for (entry = core->first; entry; entry = entry->next)
		by_status[entry->status]++;
	count->total = core->count;
	core->ops->read_unlock();
	count->enabled = by_status[HAM_STATUS_ENABLED];
	count->present = by_status[HAM_STATUS_PRESENT];
	count->failed = by_status[HAM_STATUS_FAILED];
}

ham_u32 ham_core_snapshot(struct ham_core *core, struct ham_range_info *into,
			  ham_u32 capacity)
{
	struct ham_range *entry;
	ham_u32 total;

	core->ops->read_lock();
	total = core->count;
	for (entry = core->first; entry && capacity; entry = entry->next) {
		memset(into, 0, sizeof(*into));
		into->start = entry->start;
		into->size = entry->end - entry->start;
		into->attr = entry->attr;
		into->status = entry->status;
		into++;
		capacity--;
	}
	core->ops->read_unlock();
	return total;
}

static unsigned long ham_take_bytes(ham_u32 count)
{
	return (count ? count : 1) * sizeof(struct ham_range_info);
}

struct ham_range_info *ham_core_take(struct ham_core *core, ham_u32 *count)
{
	ham_u32 room, total = ham_core_snapshot(core, NULL, 0);
	struct ham_range_info *ranges;

	/* Once more whenever the list changed while room was made for it */
	for (;;) {
		room = total;
		ranges = core->ops->big_alloc(ham_take_bytes(room));
		if (!ranges)
			return NULL;
		total = ham_core_snapshot(core, ranges, room);
		if (total == room)
			break;
		ham_core_drop(core, ranges, room);
	}
	*count = total;
	return ranges;
}

void ham_core_drop(struct ham_core *core, struct ham_range_info *ranges,
		   ham_u32 count)
{
	core->ops->big_free(ranges, ham_take_bytes(count));
}
