// SPDX-License-Identifier: GPL-2.0-only
/* Reads a range a line; prints start, size and attribute, or that it is bad */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mhp_range.h"

int main(void)
{
	struct mhp_range range;
	char line[300], *exact;

	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		/* No longer than it is, so that reading beyond it is seen */
		exact = strdup(line);
		if (!exact)
			return 1;
		if (mhp_range_parse(exact, &range))
			puts("bad");
		else
			printf("%llx %llx %d\n", (unsigned long long)range.start,
			       (unsigned long long)range.size, range.attr);
		free(exact);
	}
	return 0;
}
