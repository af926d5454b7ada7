/* SPDX-License-Identifier: GPL-2.0-only */
#define VALID_PAGE(page)	((page - mem_map) < max_mapnr)
