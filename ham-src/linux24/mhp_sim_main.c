// SPDX-License-Identifier: GPL-2.0-only
/*
 * A memory hot-plug driver without hardware, for Linux 2.4: reports the ranges
 * given as module parameter to HAM, once, when it is loaded. HAM is looked up
 * at run time and loaded if need be, and stays locked in until this driver is
 * unloaded.
 */
#include <linux/errno.h>
#include <linux/init.h>
#include <linux/kernel.h>
#include <linux/module.h>

#include "linux24.h"
#include "mhp_range.h"

#define MHP_SIM_MAX	64

static char *ranges[MHP_SIM_MAX];
MODULE_PARM(ranges, "1-64s");
MODULE_PARM_DESC(ranges, "start+size[:rw|:ro],... as hex (0x) or decimal with suffix K, M or G");

static ham_interface_t ham_hot_add_func;

static void mhp_sim_report(const struct mhp_range *range)
{
	ham_u64 last = range->start + range->size - 1;
	int result;

	result = (*ham_hot_add_func)(range->start, range->size, range->attr);
	if (last < range->start || !range->size)
		last = range->start;
	printk(KERN_INFO "mhp_sim: %016Lx-%016Lx %s: %d\n", range->start, last,
	       range->attr & HAM_ATTR_RW ? "rw" : "ro", result);
}

static int __init mhp_sim_init(void)
{
	struct mhp_range range;
	unsigned int i;

	for (i = 0; i < MHP_SIM_MAX && ranges[i]; i++) {
		if (mhp_range_parse(ranges[i], &range)) {
			printk(KERN_ERR
			       "mhp_sim: ranges: %s is not start+size[:rw|:ro]\n",
			       ranges[i]);
			return -EINVAL;
		}
	}
	ham_hot_add_func = (ham_interface_t)
		inter_module_get_request(HAM_HOT_ADD, "ham");
	if (ham_hot_add_func == NULL) {
		printk(KERN_ERR "mhp_sim: HAM is missing: load the module ham\n");
		return -ENODEV;
	}
	for (i = 0; i < MHP_SIM_MAX && ranges[i]; i++) {
		mhp_range_parse(ranges[i], &range);
		mhp_sim_report(&range);
	}
	return 0;
}

static void __exit mhp_sim_exit(void)
{
	inter_module_put(HAM_HOT_ADD);
}

module_init(mhp_sim_init);
module_exit(mhp_sim_exit);

EXPORT_NO_SYMBOLS;

MODULE_DESCRIPTION("Simulated memory hot-plug driver for HAM");
MODULE_AUTHOR("The hamkit authors");
MODULE_LICENSE("GPL");
