// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives the module linker of the 2.4 loader on the host:
 *
 * modfile_driver FILE BASE NAME OUT [NAME=VALUE...] <SYMBOLS
 *
 * SYMBOLS has a line for each symbol of the kernel: address, address of the
 * module that has it or 0, name; numbers hexadecimal. Writes the image to OUT
 * and prints what of the file decides; or the reason and exit status 1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modfile24.h"

#define MOST_SYMBOLS	1000
#define LARGEST_FILE	(4UL << 20)

static struct {
	uint32_t value, module;
	char name[100];
} symbols[MOST_SYMBOLS];
static int nr_symbols;

static int lookup(void *context, const char *name, uint32_t *value,
		  uint32_t *module)
{
	int i;

	(void)context;
	for (i = 0; i < nr_symbols; i++) {
		if (strcmp(symbols[i].name, name))
			continue;
		*value = symbols[i].value;
		*module = symbols[i].module;
		return 1;
	}
	return 0;
}

static void read_symbols(void)
{
	while (nr_symbols < MOST_SYMBOLS &&
	       scanf("%x %x %99s", &symbols[nr_symbols].value,
		     &symbols[nr_symbols].module,
		     symbols[nr_symbols].name) == 3)
		nr_symbols++;
}

/* As large as the file and no larger, so that reading beyond it is seen */
static void *read_file(const char *path, size_t *size)
{
	char *all = malloc(LARGEST_FILE), *exact;
	FILE *file = fopen(path, "rb");

	if (!all || !file)
		exit(2);
	*size = fread(all, 1, LARGEST_FILE, file);
	fclose(file);
	exact = malloc(*size ? *size : 1);
	if (!exact)
		exit(2);
	memcpy(exact, all, *size);
	free(all);
	return exact;
}

static void say(const struct modfile *file, const char *name)
{
	const char *value = modfile_info(file, name);

	printf("%s %s\n", name, value ? value : "-");
}

static int link_it(struct modfile *file, char **argv, int argc)
{
	uint32_t base = strtoul(argv[2], NULL, 16);
	unsigned char *image = NULL;
	FILE *out;
	int error;

	error = modfile_resolve(file, lookup, NULL) ||
		modfile_layout(file, argv[3], argv + 5, argc - 5);
	if (!error) {
		image = malloc(file->image_size);
		error = !image || modfile_link(file, base, image, argv[3],
					       argv + 5, argc - 5);
	}
	if (!error) {
		out = fopen(argv[4], "wb");
		if (!out || fwrite(image, file->image_size, 1, out) != 1 ||
		    fclose(out))
			exit(2);
	}
	free(image);
	return error;
}

int main(int argc, char **argv)
{
	struct modfile file;
	size_t size;
	void *bytes;
	int error;

	if (argc < 5)
		return 2;
	read_symbols();
	bytes = read_file(argv[1], &size);
	error = modfile_open(&file, bytes, size);
	if (!error) {
		say(&file, "kernel_version");
		say(&file, "using_checksums");
		error = link_it(&file, argv, argc);
	}
	if (error)
		puts(file.error);
	modfile_close(&file);
	free(bytes);
	return error ? 1 : 0;
}
