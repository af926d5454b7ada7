/* SPDX-License-Identifier: GPL-2.0-only */
/* A range as text, as mhp_sim takes it. Without kernel headers, C89. */
#ifndef _MHP_RANGE_H
#define _MHP_RANGE_H

#include "ham.h"

struct mhp_range {
	ham_u64 start;
	ham_u64 size;
	ham_u8 attr;
};

/*
 * Reads start+size[:rw|:ro], numbers hex (0x) or decimal with suffix K, M or G.
 * Returns 0, or -1 for anything else, numbers beyond 64 bits among it.
 */
int mhp_range_parse(const char *text, struct mhp_range *range);

#endif /* _MHP_RANGE_H */
