// SPDX-License-Identifier: GPL-2.0-only
/*
 * insmod, modprobe and rmmod for a guest with Linux 2.4, by the name it is
 * called. The kernel has nothing but room for a module and takes its finished
 * image: linking it is done here. The modutils of that time did this.
 *
 * insmod FILE [NAME=VALUE...]	loads a module
 * modprobe NAME [...]		the same from /lib/modules/RELEASE, unless it is
 *				loaded; the kernel calls it for what it lacks
 * rmmod NAME			unloads one
 *
 * Exit status: 0 done, 1 refused or failed, 2 usage.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "modfile24.h"

#define EXIT_USAGE	2

#define SYSCALL_CREATE_MODULE	127
#define SYSCALL_INIT_MODULE	128
#define SYSCALL_DELETE_MODULE	129
#define SYSCALL_QUERY_MODULE	167
#define QM_MODULES	1
#define QM_SYMBOLS	4
#define QM_INFO		5

#define OPTIONS_FILE	"/etc/modules.conf"
#define MOST_PARAMETERS	64
#define NAME_BYTES	60

static const char *program = "insmod";

static void die(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

static void die(int status, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

static void *more(void *old, size_t bytes)
{
	void *room = realloc(old, bytes);

	if (!room)
		die(1, "out of memory");
	return room;
}

/*
 * The kernel's answer to a question, to be freed; the number of things in it
 * in *count, 0 when there is no answer.
 */
static void *query(const char *module, int which, size_t *count)
{
	size_t room = 4096, told;
	void *answer = NULL;

	for (;;) {
		answer = more(answer, room);
		told = 0;
		if (!syscall(SYSCALL_QUERY_MODULE, module, which, answer, room,
			     &told))
			break;
		if (errno != ENOSPC || told <= room) {
			told = 0;
			break;
		}
		room = told;
	}
	*count = told;
	return answer;
}

/* What the kernel or one of its modules exports */
struct exports {
	struct { uint32_t value, name; } *symbols;
	size_t count;
	uint32_t module;	/* address; 0 for the kernel itself */
};

struct kernel {
	struct exports *exports;
	size_t count;
	int gpl;		/* does the module's licence allow all? */
};

static void add_exports(struct kernel *kernel, const char *module,
			uint32_t address)
{
	struct exports *exports;

	kernel->exports = more(kernel->exports,
			       (kernel->count + 1) * sizeof(*exports));
	exports = &kernel->exports[kernel->count++];
	exports->symbols = query(module, QM_SYMBOLS, &exports->count);
	exports->module = address;
}

static void ask_kernel(struct kernel *kernel)
{
	struct { uint32_t address, size, flags, uses; } info;
	size_t count, told;
	char *names = query(NULL, QM_MODULES, &count), *name;

	add_exports(kernel, NULL, 0);
	for (name = names; count--; name += strlen(name) + 1)
		if (!syscall(SYSCALL_QUERY_MODULE, name, QM_INFO, &info,
			     sizeof(info), &told))
			add_exports(kernel, name, info.address);
	free(names);
}

static const char *export_name(const struct exports *exports, size_t i)
{
	return (const char *)exports->symbols + exports->symbols[i].name;
}

static int same_name(const struct kernel *kernel, const char *exported,
		     const char *wanted)
{
	static const char gpl[] = "GPLONLY_";

	if (kernel->gpl && !strncmp(exported, gpl, sizeof(gpl) - 1))
		exported += sizeof(gpl) - 1;
	return !strcmp(exported, wanted);
}

/* Names carry the version of a symbol where a kernel has them: ..._R1a2b3c4d */
static int lookup(void *context, const char *name, uint32_t *value,
		  uint32_t *module)
{
	const struct kernel *kernel = context;
	size_t i, j;

	for (i = 0; i < kernel->count; i++) {
		for (j = 0; j < kernel->exports[i].count; j++) {
			if (!same_name(kernel,
				       export_name(&kernel->exports[i], j),
				       name))
				continue;
			*value = kernel->exports[i].symbols[j].value;
			*module = kernel->exports[i].module;
			return 1;
		}
	}
	return 0;
}

static void *read_file(const char *path, size_t *size)
{
	char *bytes = NULL;
	ssize_t got;
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		die(1, "%s: %s", path, strerror(errno));
	*size = 0;
	do {
		bytes = more(bytes, *size + 65536);
		got = read(fd, bytes + *size, 65536);
		if (got < 0)
			die(1, "%s: %s", path, strerror(errno));
		*size += got;
	} while (got);
	close(fd);
	return bytes;
}

/* Symbols with versions check themselves; else the release must be the same */
static void check_release(const char *path, struct modfile *file,
			  struct kernel *kernel)
{
	const char *built = modfile_info(file, "kernel_version");
	uint32_t value, module;
	struct utsname running;

	if (uname(&running))
		die(1, "uname: %s", strerror(errno));
	if (!built)
		die(1, "%s: does not say which kernel it is for", path);
	if (modfile_info(file, "using_checksums") &&
	    lookup(kernel, "Using_Versions", &value, &module))
		return;
	if (strcmp(built, running.release))
		die(1, "%s: is for the kernel %s, this is %s", path, built,
		    running.release);
}

/* Creates and initialises it; 0 or an errno */
static int put_in(struct modfile *file, const char *path, const char *name,
		  char **parameters, int nr_parameters)
{
	unsigned char *image = more(NULL, file->image_size);
	long base = syscall(SYSCALL_CREATE_MODULE, name,
			    (size_t)file->image_size);
	int error;

	/* Addresses above 2 GB are negative; errnos are few */
	if (base == -1)
		return errno;
	if (modfile_link(file, base, image, name, parameters, nr_parameters)) {
		syscall(SYSCALL_DELETE_MODULE, name);
		die(1, "%s: %s", path, file->error);
	}
	if (!syscall(SYSCALL_INIT_MODULE, name, image))
		return 0;
	error = errno;
	syscall(SYSCALL_DELETE_MODULE, name);
	return error;
}

static void module_name(const char *path, char *name)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t length = strlen(base);

	if (length > 2 && !strcmp(base + length - 2, ".o"))
		length -= 2;
	if (!length || length >= NAME_BYTES)
		die(EXIT_USAGE, "%s: not the name of a module", path);
	memcpy(name, base, length);
	name[length] = '\0';
}

static int free_software(const char *license)
{
	return license && (!strcmp(license, "GPL") ||
			   !strcmp(license, "GPL v2") ||
			   !strcmp(license, "GPL and additional rights") ||
			   !strcmp(license, "Dual BSD/GPL") ||
			   !strcmp(license, "Dual MPL/GPL"));
}

/* 0 or the errno of the kernel */
static int load(const char *path, char **parameters, int nr_parameters)
{
	struct kernel kernel = { NULL, 0, 0 };
	struct modfile file;
	char name[NAME_BYTES];
	size_t size;
	void *bytes = read_file(path, &size);

	module_name(path, name);
	if (modfile_open(&file, bytes, size))
		die(1, "%s: %s", path, file.error);
	kernel.gpl = free_software(modfile_info(&file, "license"));
	ask_kernel(&kernel);
	check_release(path, &file, &kernel);
	if (modfile_resolve(&file, lookup, &kernel) ||
	    modfile_layout(&file, name, parameters, nr_parameters))
		die(1, "%s: %s", path, file.error);
	return put_in(&file, path, name, parameters, nr_parameters);
}

static int is_loaded(const char *name)
{
	size_t count;
	char *names = query(NULL, QM_MODULES, &count), *at;

	for (at = names; count--; at += strlen(at) + 1)
		if (!strcmp(at, name))
			return 1;
	return 0;
}

/* Looks for NAME.o below a folder; its path, to be freed, or NULL */
static char *find_module(const char *folder, const char *file)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char *path = NULL, *found = NULL;
	struct stat st;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		path = more(path, strlen(folder) + strlen(entry->d_name) + 2);
		sprintf(path, "%s/%s", folder, entry->d_name);
		if (lstat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			found = find_module(path, file);
		else if (!strcmp(entry->d_name, file))
			found = strdup(path);
	}
	if (dir)
		closedir(dir);
	free(path);
	return found;
}

/* Adds what "options NAME ..." lines of /etc/modules.conf say */
static int add_options(const char *name, char **parameters, int count)
{
	FILE *file = fopen(OPTIONS_FILE, "r");
	char line[1024], *word;

	while (file && fgets(line, sizeof(line), file)) {
		word = strtok(line, " \t\n");
		if (!word || strcmp(word, "options"))
			continue;
		word = strtok(NULL, " \t\n");
		if (!word || strcmp(word, name))
			continue;
		while ((word = strtok(NULL, " \t\n")) &&
		       count < MOST_PARAMETERS)
			parameters[count++] = strdup(word);
	}
	if (file)
		fclose(file);
	return count;
}

static int command_insmod(int argc, char **argv)
{
	int error;

	if (argc < 2 || argv[1][0] == '-')
		die(EXIT_USAGE, "usage: insmod FILE [NAME=VALUE...]");
	error = load(argv[1], argv + 2, argc - 2);
	if (error)
		die(1, "%s: %s", argv[1], strerror(error));
	return 0;
}

static int command_modprobe(int argc, char **argv)
{
	char *parameters[2 * MOST_PARAMETERS], file[NAME_BYTES + 3], folder[96];
	struct utsname running;
	char *path;
	int count, i = 1, error;

	/* -s logs, -k lets the kernel unload it again: neither is for here */
	while (i < argc && argv[i][0] == '-')
		i++;
	if (i == argc || argc - i > MOST_PARAMETERS ||
	    strlen(argv[i]) >= NAME_BYTES || strchr(argv[i], '/'))
		die(EXIT_USAGE, "usage: modprobe NAME [NAME=VALUE...]");
	if (is_loaded(argv[i]))
		return 0;
	if (uname(&running))
		die(1, "uname: %s", strerror(errno));
	snprintf(folder, sizeof(folder), "/lib/modules/%s", running.release);
	sprintf(file, "%s.o", argv[i]);
	path = find_module(folder, file);
	if (!path)
		die(1, "%s: not below %s", argv[i], folder);
	count = add_options(argv[i], parameters, 0);
	memcpy(parameters + count, argv + i + 1,
	       (argc - i - 1) * sizeof(*argv));
	error = load(path, parameters, count + argc - i - 1);
	/* Somebody else was faster */
	if (error && error != EEXIST)
		die(1, "%s: %s", path, strerror(error));
	return 0;
}

static int command_rmmod(int argc, char **argv)
{
	if (argc != 2 || argv[1][0] == '-')
		die(EXIT_USAGE, "usage: rmmod NAME");
	if (syscall(SYSCALL_DELETE_MODULE, argv[1]))
		die(1, "%s: %s", argv[1], strerror(errno));
	return 0;
}

/* The kernel starts modprobe without open files: what it says is to be seen */
static void open_standard_files(void)
{
	int fd;

	while ((fd = open("/dev/console", O_RDWR)) >= 0 && fd <= 2)
		;
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;

	if (argc)
		program = slash ? slash + 1 : argv[0];
	open_standard_files();
	if (!strcmp(program, "insmod"))
		return command_insmod(argc, argv);
	if (!strcmp(program, "modprobe"))
		return command_modprobe(argc, argv);
	if (!strcmp(program, "rmmod"))
		return command_rmmod(argc, argv);
	die(EXIT_USAGE, "to be called insmod, modprobe or rmmod");
}
