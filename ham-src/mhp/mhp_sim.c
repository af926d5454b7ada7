// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory hot-plug driver without hardware: reports the ranges given as module
 * parameter to HAM, once, when it is loaded. HAM is looked up at run time and
 * loaded if need be, and stays locked in until this driver is unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "ham.h"

#define MHP_SIM_MAX	64
#define MHP_SIM_NUMBER	24	/* a number as text, NUL included */

struct mhp_sim_range {
	u64 start;
	u64 size;
	u8 attr;
};

static char *ranges[MHP_SIM_MAX];
static unsigned int nr_ranges;
module_param_array(ranges, charp, &nr_ranges, 0444);
MODULE_PARM_DESC(ranges, "start+size[:rw|:ro],... as hex (0x) or decimal with suffix K, M or G");

static int results[MHP_SIM_MAX];
static unsigned int nr_results;

static int mhp_sim_get_results(char *buffer, const struct kernel_param *kp)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < nr_results; i++)
		len += scnprintf(buffer + len, PAGE_SIZE - len, "%s%d",
				 i ? "," : "", results[i]);
	return len + scnprintf(buffer + len, PAGE_SIZE - len, "\n");
}

static const struct kernel_param_ops mhp_sim_results_ops = {
	.get = mhp_sim_get_results,
};
module_param_cb(results, &mhp_sim_results_ops, NULL, 0444);
MODULE_PARM_DESC(results, "what HAM returned for each range (read only)");

static unsigned int mhp_sim_suffix_shift(char suffix)
{
	switch (toupper(suffix)) {
	case 'K':
		return 10;
	case 'M':
		return 20;
	case 'G':
		return 30;
	default:
		return 0;
	}
}

/* A number of so many characters; overflow and anything odd is an error */
static int mhp_sim_parse_number(const char *text, size_t len, u64 *number)
{
	char copy[MHP_SIM_NUMBER];
	unsigned int shift;
	u64 value;
	int error;

	if (!len || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	shift = mhp_sim_suffix_shift(copy[len - 1]);
	if (shift)
		copy[len - 1] = '\0';
	/* Neither signs nor octal */
	if (!isdigit(copy[0]))
		return -EINVAL;
	error = kstrtou64(copy, tolower(copy[1]) == 'x' ? 16 : 10, &value);
	if (error)
		return error;
	if (check_shl_overflow(value, shift, number))
		return -ERANGE;
	return 0;
}

static int mhp_sim_parse(const char *text, struct mhp_sim_range *range)
{
	const char *plus = strchr(text, '+');
	size_t len;
	int error;

	if (!plus)
		return -EINVAL;
	error = mhp_sim_parse_number(text, plus - text, &range->start);
	if (error)
		return error;
	len = strcspn(plus + 1, ":");
	error = mhp_sim_parse_number(plus + 1, len, &range->size);
	if (error)
		return error;
	text = plus + 1 + len;
	if (!*text || !strcmp(text, ":rw"))
		range->attr = HAM_ATTR_RW;
	else if (!strcmp(text, ":ro"))
		range->attr = HAM_ATTR_RO;
	else
		return -EINVAL;
	return 0;
}

/* Either module may load first: HAM is loaded now if it is not there yet */
static ham_interface_t mhp_sim_get_ham(void)
{
	ham_interface_t hot_add = symbol_get(ham_hot_add);

	if (!hot_add) {
		request_module("ham");
		hot_add = symbol_get(ham_hot_add);
	}
	return hot_add;
}

static void mhp_sim_report(ham_interface_t hot_add,
			   const struct mhp_sim_range *range)
{
	u64 last = range->start + range->size - 1;
	int result = hot_add(range->start, range->size, range->attr);

	if (last < range->start || !range->size)
		last = range->start;
	pr_info("%016llx-%016llx %s: %d\n", range->start, last,
		range->attr & HAM_ATTR_RW ? "rw" : "ro", result);
	results[nr_results++] = result;
}

static int __init mhp_sim_init(void)
{
	struct mhp_sim_range parsed[MHP_SIM_MAX];
	ham_interface_t hot_add;
	unsigned int i;

	for (i = 0; i < nr_ranges; i++) {
		if (mhp_sim_parse(ranges[i], &parsed[i])) {
			pr_err("ranges: %s is not start+size[:rw|:ro]\n",
			       ranges[i]);
			return -EINVAL;
		}
	}
	hot_add = mhp_sim_get_ham();
	if (!hot_add) {
		pr_err("HAM is missing: load the module ham\n");
		return -ENODEV;
	}
	for (i = 0; i < nr_ranges; i++)
		mhp_sim_report(hot_add, &parsed[i]);
	return 0;
}

static void __exit mhp_sim_exit(void)
{
	symbol_put(ham_hot_add);
}

module_init(mhp_sim_init);
module_exit(mhp_sim_exit);

MODULE_DESCRIPTION("Simulated memory hot-plug driver for HAM");
MODULE_AUTHOR("The hamkit authors");
MODULE_VERSION(HAM_VERSION);
MODULE_LICENSE("GPL");
MODULE_SOFTDEP("pre: ham");
