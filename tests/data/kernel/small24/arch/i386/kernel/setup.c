/* SPDX-License-Identifier: GPL-2.0-only */
void setup_arch(void)
{
#define VMALLOC_RESERVE	(unsigned long)(128 << 20)
#define MAXMEM		(unsigned long)(-PAGE_OFFSET-VMALLOC_RESERVE)
}
