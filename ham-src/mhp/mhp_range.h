/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges and numbers as text. Without kernel headers, C89. */
#ifndef _MHP_RANGE_H
#define _MHP_RANGE_H

#include "ham.h"

struct mhp_range {
	ham_u64 start;
	ham_u64 size;
	ham_u8 attr;
};

/*
 * Reads a number, hex (0x) or decimal with suffix K, M or G: neither signs nor
 * octal nor blanks. Returns what follows it, the text itself where there is no
 * number, NULL for one beyond 64 bits.
 */
const char *mhp_parse_number(const char *text, ham_u64 *number);

/* Reads start+size[:rw|:ro]. Returns 0, or -1 for anything else */
int mhp_range_parse(const char *text, struct mhp_range *range);

#endif /* _MHP_RANGE_H */
