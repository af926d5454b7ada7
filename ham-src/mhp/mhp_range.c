// SPDX-License-Identifier: GPL-2.0-only
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "mhp_range.h"

/* 99 for what is no digit in the base */
static unsigned int mhp_digit(char c, unsigned int base)
{
	unsigned int value = 99;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	return value < base ? value : 99;
}

static unsigned int mhp_suffix_shift(char suffix)
{
	switch (suffix) {
	case 'K': case 'k':
		return 10;
	case 'M': case 'm':
		return 20;
	case 'G': case 'g':
		return 30;
	default:
		return 0;
	}
}

/* Value times base plus digit, in halves: -1 if that takes more than 64 bits */
static int mhp_append(ham_u64 *value, unsigned int base, unsigned int digit)
{
	ham_u64 low = (*value & 0xffffffff) * base + digit;
	ham_u64 high = (*value >> 32) * base + (low >> 32);

	if (high >> 32)
		return -1;
	*value = (high << 32) | (low & 0xffffffff);
	return 0;
}

const char *mhp_parse_number(const char *text, ham_u64 *number)
{
	const char *begin = text;
	unsigned int base = 10, shift;
	ham_u64 value = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (mhp_digit(*text, base) == 99)
		return begin;
	for (; mhp_digit(*text, base) != 99; text++)
		if (mhp_append(&value, base, mhp_digit(*text, base)))
			return NULL;
	shift = mhp_suffix_shift(*text);
	if (shift) {
		text++;
		if (value >> (64 - shift))
			return NULL;
	}
	*number = value << shift;
	return text;
}

int mhp_range_parse(const char *text, struct mhp_range *range)
{
	const char *size = mhp_parse_number(text, &range->start), *attr;

	if (!size || size == text || *size++ != '+')
		return -1;
	attr = mhp_parse_number(size, &range->size);
	if (!attr || attr == size)
		return -1;
	if (!*attr || !strcmp(attr, ":rw"))
		range->attr = HAM_ATTR_RW;
	else if (!strcmp(attr, ":ro"))
		range->attr = HAM_ATTR_RO;
	else
		return -1;
	return 0;
}
