/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef HAM_FILL_H
#define HAM_FILL_H

#include <stddef.h>
#include <stdint.h>

/* What fill_and_verify() returns; the exit status of memfill too */
#define FILL_GOOD	0
#define FILL_BAD	1	/* pages do not hold what was written to them */
#define FILL_NO_MEMORY	2

#define FILL_PAGE	4096UL

/* Pages with words made from their numbers, which begin with first */
void fill_pages(void *place, uint64_t first, uint64_t pages);
uint64_t count_bad_pages(const void *place, uint64_t first, uint64_t pages);

/*
 * Uses so many bytes of memory at once and checks that it is memory. What came
 * of it is told in one line, without its end, in text.
 */
int fill_and_verify(uint64_t bytes, char *text, size_t room);

#endif
