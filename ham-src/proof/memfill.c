// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfill SIZE: uses that much memory and checks that it is memory.
 *
 * Exit status: 0 verified, 1 bad pages, 2 not enough memory, 3 usage.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fill.h"

#define EXIT_USAGE	3
#define MOST		(1ULL << 62)

/* Bytes, decimal or 0x..., with suffix K, M or G; 0 is an error */
static uint64_t parse_size(const char *text)
{
	static const char suffixes[] = "KMG";
	unsigned long long value;
	const char *suffix;
	unsigned int shift;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return 0;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	shift = suffix ? 10 * (suffix - suffixes + 1) : 0;
	if (end[suffix ? 1 : 0] || value > MOST >> shift)
		return 0;
	return (uint64_t)value << shift;
}

int main(int argc, char **argv)
{
	uint64_t size = argc == 2 ? parse_size(argv[1]) : 0;
	char text[128];
	int status;

	if (!size) {
		fputs("usage: memfill SIZE (bytes, or with K, M or G)\n",
		      stderr);
		return EXIT_USAGE;
	}
	status = fill_and_verify(size, text, sizeof(text));
	fprintf(status == FILL_NO_MEMORY ? stderr : stdout, "%s\n", text);
	return status;
}
