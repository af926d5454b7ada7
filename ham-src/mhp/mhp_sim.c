// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory hot-plug driver without hardware: reports the ranges given as module
 * parameter to HAM, once, when it is loaded. HAM is looked up at run time and
 * loaded if need be, and stays locked in until this driver is unloaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "ham.h"
#include "mhp_range.h"

#define MHP_SIM_MAX	64

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
			   const struct mhp_range *range)
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
	struct mhp_range parsed[MHP_SIM_MAX];
	ham_interface_t hot_add;
	unsigned int i;

	for (i = 0; i < nr_ranges; i++) {
		if (mhp_range_parse(ranges[i], &parsed[i])) {
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
