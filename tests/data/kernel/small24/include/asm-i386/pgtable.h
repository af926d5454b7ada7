/* SPDX-License-Identifier: GPL-2.0-only */
#define pte_offset(pmd, address) ((pmd) + (address))
