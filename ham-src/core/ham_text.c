// SPDX-License-Identifier: GPL-2.0-only
/* The text of /proc/ham/status. */
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "ham_core.h"

/* Sixteen hex digits by hand: 2.4 kernels and hosts differ in %llx */
static char *ham_put_hex(char *at, ham_u64 value)
{
	int shift;

	for (shift = 60; shift >= 0; shift -= 4)
		*at++ = "0123456789abcdef"[(unsigned int)(value >> shift) & 15];
	return at;
}

static char *ham_put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

int ham_core_format(char line[HAM_LINE_MAX], const struct ham_range_info *info)
{
	static const char * const names[] = { "PRESENT", "ENABLED", "FAILED" };
	char *at = line;

	at = ham_put_hex(at, info->start);
	*at++ = '-';
	at = ham_put_hex(at, info->start + info->size - 1);
	at = ham_put_text(at, info->attr & HAM_ATTR_RW ? "  rw " : "  ro ");
	at = ham_put_text(at, names[info->status]);
	*at++ = '\n';
	*at = '\0';
	return at - line;
}

unsigned long ham_core_text(const struct ham_range_info *ranges, ham_u32 count,
			    ham_u64 offset, char *into, unsigned long size)
{
	unsigned long done = 0;
	char line[HAM_LINE_MAX];
	ham_u64 length, left;
	ham_u32 i;

	for (i = 0; i < count && done < size; i++) {
		length = ham_core_format(line, &ranges[i]);
		if (offset >= length) {
			offset -= length;
			continue;
		}
		left = length - offset;
		if (left > size - done)
			left = size - done;
		memcpy(into + done, line + offset, left);
		done += left;
		offset = 0;
	}
	return done;
}
