// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel modules, loaded and unloaded. The plan says where they are. A kernel
 * that links modules itself is given the file; for an older one the plan names
 * a program that links them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "haminit.h"

static int link_in_kernel(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return -1;
	result = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return result;
}

static int link_by_program(const struct plan *plan, const char *path,
			   char *const *words, struct text *output)
{
	char *all[MOST_WORDS + 2];
	unsigned int count = 0;

	all[count++] = (char *)path;
	while (*words && count < MOST_WORDS)
		all[count++] = *words++;
	all[count] = NULL;
	return run_program(plan, "insmod", all, output);
}

/* A driver's number, where the kernel has no filesystem that makes devices */
static void make_device(const char *name)
{
	struct text devices = { NULL, 0, 0 }, wanted = { NULL, 0, 0 };
	char *found, path[64];
	unsigned int number;

	snprintf(path, sizeof(path), "/dev/%s", name);
	if (!access(path, F_OK))
		return;
	text_add(&devices, "\n");
	text_file(&devices, "/proc/devices");
	text_add(&wanted, " %s\n", name);
	found = strstr(devices.data, wanted.data);
	if (found) {
		*found = '\0';
		number = strtoul(strrchr(devices.data, '\n'), NULL, 10);
		mknod(path, S_IFCHR | 0600, makedev(number, 0));
	}
	text_free(&devices);
	text_free(&wanted);
}

int load_module(const struct plan *plan, const char *name, char *const *words,
		struct text *output)
{
	const struct line *module = plan_find(plan, "module", name);
	struct text parameters = { NULL, 0, 0 };
	int result, error;

	if (!module) {
		text_add(output, "the plan does not say where %s is\n", name);
		return 1;
	}
	if (plan_find(plan, "program", "insmod")) {
		result = link_by_program(plan, module->word[2], words, output);
	} else {
		text_bytes(&parameters, "", 0);
		for (; *words; words++)
			text_add(&parameters, "%s ", *words);
		result = link_in_kernel(module->word[2], parameters.data);
		error = errno;
		text_free(&parameters);
		if (result < 0) {
			text_add(output, "%s: %s\n", module->word[2],
				 strerror(error));
			return 1;
		}
	}
	if (!result)
		make_device(name);
	return result;
}

int unload_module(const char *name, struct text *output)
{
	if (!syscall(SYS_delete_module, name, O_NONBLOCK))
		return 0;
	text_add(output, "%s cannot be unloaded: %s\n", name, strerror(errno));
	return 1;
}

int module_is_loaded(const char *name)
{
	struct text modules = { NULL, 0, 0 }, wanted = { NULL, 0, 0 };
	int loaded;

	text_add(&modules, "\n");
	text_file(&modules, "/proc/modules");
	text_add(&wanted, "\n%s ", name);
	loaded = strstr(modules.data, wanted.data) != NULL;
	text_free(&modules);
	text_free(&wanted);
	return loaded;
}

/* As the kernel calls it: options first, the name last */
int modprobe(int argc, char **argv)
{
	static char *const no_words[] = { NULL };
	struct text output = { NULL, 0, 0 };
	struct plan plan = { NULL, 0 };
	const char *name = argc > 1 ? argv[argc - 1] : "";

	if (plan_read(&plan, PLAN) || !plan_find(&plan, "module", name))
		return 1;
	return module_is_loaded(name) ? 0 :
	       load_module(&plan, name, no_words, &output);
}
