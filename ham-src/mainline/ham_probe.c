// SPDX-License-Identifier: GPL-2.0-only
/*
 * Is there RAM behind an address? Writes to the first and the last page of each
 * memory block, reads back, and restores what was there. A place must also not
 * show up anywhere else: where an address line is not decoded, the place whose
 * address differs in that one bit reads the same. Such a place may be RAM in
 * use, so it is only ever read, and each test runs with interrupts off and
 * undoes its write at once.
 */
#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/log2.h>
#include <linux/memory.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include <asm/cacheflush.h>
#include <asm/processor.h>

#include "ham_mainline.h"

static u64 ham_probe_read(u64 *word)
{
	/* From memory, not from the cache */
	clflush_cache_range(word, sizeof(*word));
	return READ_ONCE(*word);
}

static void ham_probe_write(u64 *word, u64 value)
{
	WRITE_ONCE(*word, value);
	clflush_cache_range(word, sizeof(*word));
}

/* Writes to place; other may be NULL */
static int ham_probe_words(u64 *place, u64 *other, const char **why)
{
	u64 old, old_other, value;
	unsigned long flags;
	int error = 0;

	local_irq_save(flags);
	old = ham_probe_read(place);
	old_other = other ? ham_probe_read(other) : old;
	value = ~old;
	if (value == old_other)
		value ^= 0x5aa5c33c0ff0a55aULL;
	ham_probe_write(place, value);
	if (ham_probe_read(place) != value) {
		*why = "no RAM behind the address";
		error = -ENODEV;
	} else if (other && ham_probe_read(other) == value) {
		*why = "shows the same RAM as another address";
		error = -ENODEV;
	}
	ham_probe_write(place, old);
	local_irq_restore(flags);
	return error;
}

static int ham_probe_alias(u64 *place, u64 other, const char **why)
{
	u64 *word = memremap(other, PAGE_SIZE, MEMREMAP_WB);
	int error;

	if (!word) {
		*why = "out of memory";
		return -ENOMEM;
	}
	error = ham_probe_words(place, word, why);
	memunmap(word);
	return error;
}

/* Only what is RAM, or may become it with this request, is worth comparing */
static bool ham_probe_comparable(u64 other, u64 start, u64 end)
{
	u64 known_start, known_end;

	if (other >= start && other < end)
		return true;
	return ham_vm_known(other, other + PAGE_SIZE, &known_start,
			    &known_end) &&
	       known_start <= other && known_end >= other + PAGE_SIZE &&
	       pfn_valid(PHYS_PFN(other));
}

static int ham_probe_place(u64 at, u64 start, u64 end, const char **why)
{
	u64 *place = memremap(at, PAGE_SIZE, MEMREMAP_WB);
	unsigned int bit;
	int error;

	if (!place) {
		*why = "out of memory";
		return -ENOMEM;
	}
	error = ham_probe_words(place, NULL, why);
	for (bit = ilog2(memory_block_size_bytes());
	     !error && bit < boot_cpu_data.x86_phys_bits; bit++)
		if (ham_probe_comparable(at ^ BIT_ULL(bit), start, end))
			error = ham_probe_alias(place, at ^ BIT_ULL(bit), why);
	memunmap(place);
	return error;
}

int ham_probe(u64 start, u64 end, const char **why)
{
	u64 block = memory_block_size_bytes();
	int error = 0;
	u64 at;

	for (at = start; !error && at < end; at += block) {
		error = ham_probe_place(at, start, end, why);
		if (!error)
			error = ham_probe_place(at + block - PAGE_SIZE, start,
						end, why);
		cond_resched();
	}
	return error;
}
