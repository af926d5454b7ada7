/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel module of Linux 2.4 as a file: read, laid out, linked. Knows no
 * kernel: what that has comes through a function. Whatever the bytes are,
 * nothing outside the file is read.
 */
#ifndef _MODFILE24_H
#define _MODFILE24_H

#include <stddef.h>
#include <stdint.h>

#define MODFILE_ERROR	512

struct modfile_section {
	uint32_t name, type, flags, offset, size, link, info, align;
	uint32_t place;			/* offset in the image */
	int loaded;
};

struct modfile {
	const unsigned char *bytes;
	size_t size;
	struct modfile_section *sections;
	unsigned int nr_sections;
	const char *section_names;
	uint32_t section_names_size;

	const unsigned char *symbols;	/* as in the file */
	uint32_t nr_symbols;
	const char *names;
	uint32_t names_size;
	uint32_t *values;		/* of undefined and common symbols */

	const char *info;		/* .modinfo */
	uint32_t info_size;

	/* Filled in by modfile_resolve() */
	uint32_t *users;		/* addresses of modules it uses */
	uint32_t nr_users;
	/* Filled in by modfile_layout() */
	uint32_t name_place, users_place, text_place, image_size;

	char error[MODFILE_ERROR];
};

/*
 * Looks a symbol up. Returns 1 and its value, and in module the address of
 * the module that has it, 0 for the kernel itself; or 0.
 */
typedef int (*modfile_lookup)(void *context, const char *name, uint32_t *value,
			      uint32_t *module);

/* Each returns 0, or -1 with the reason in error. */
int modfile_open(struct modfile *file, const void *bytes, size_t size);
int modfile_resolve(struct modfile *file, modfile_lookup lookup,
		    void *context);
/* parameters: NAME=VALUE... ; how much room strings among them take counts */
int modfile_layout(struct modfile *file, const char *name, char **parameters,
		   int nr_parameters);
/* Makes the image that is to lie at address base; image has image_size bytes */
int modfile_link(struct modfile *file, uint32_t base, unsigned char *image,
		 const char *name, char **parameters, int nr_parameters);
void modfile_close(struct modfile *file);

/* The value of a NAME=value of .modinfo, or NULL */
const char *modfile_info(const struct modfile *file, const char *name);

#endif /* _MODFILE24_H */
