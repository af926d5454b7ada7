/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between 2.4 trees, told by the macros that their headers define:
 * a version number says nothing about what a vendor has put in or taken out.
 */
#ifndef _LINUX24_H
#define _LINUX24_H

#include <linux/config.h>
#include <linux/module.h>

#ifndef MODULE_LICENSE
#define MODULE_LICENSE(license)
#endif
#ifndef EXPORT_NO_SYMBOLS
#define EXPORT_NO_SYMBOLS
#endif

#endif /* _LINUX24_H */
