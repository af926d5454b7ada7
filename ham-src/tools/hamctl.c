// SPDX-License-Identifier: GPL-2.0-only
/* hamctl: shows and drives Hot-Add Memory. See hamctl.8. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "../mhp/mhp_range.h"
#include "ham.h"

#define DEVICE		"/dev/ham"
#define STATUS_FILE	"/proc/ham/status"
#define MAJORS_FILE	"/proc/devices"
#define BLOCKS		"/sys/devices/system/memory"

#define EXIT_REFUSED	1
#define EXIT_USAGE	2
#define EXIT_NO_HAM	3
#define EXIT_TIMEOUT	4

#define POLLS_PER_SECOND	10
#define MAX_TIMEOUT		(1000UL * 1000 * 1000)

static const char usage_text[] =
"usage: hamctl COMMAND\n"
"  status                         the ranges, as " STATUS_FILE " has them\n"
"  count                          number of ranges by status\n"
"  list                           the ranges: start, size, attribute, status\n"
"  add START SIZE [rw|ro]         add a range (test builds of HAM only)\n"
"  retry                          try the FAILED ranges once more\n"
"  device                         make " DEVICE ", where the kernel does not (2.4)\n"
"  online                         bring the PRESENT ranges online\n"
"  wait-enabled [--timeout SECONDS]\n"
"                                 wait until every range is ENABLED\n"
"  --help, --version\n"
"START and SIZE are decimal or 0x... and may end in K, M or G.\n"
"Exit status: 0 done, 1 refused or failed, 2 usage, 3 no HAM, 4 timed out.\n";

static const char * const status_names[] = { "PRESENT", "ENABLED", "FAILED" };

static void die(int status, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

static void die(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("hamctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* The name that scripts and manuals use, which strerror() does not give */
static const char *errno_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { EIO, "EIO" },
		{ E2BIG, "E2BIG" }, { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" },
		{ EFAULT, "EFAULT" }, { EBUSY, "EBUSY" }, { EEXIST, "EEXIST" },
		{ ENODEV, "ENODEV" }, { EINVAL, "EINVAL" },
		{ ENOTTY, "ENOTTY" }, { ENOSPC, "ENOSPC" }, { EROFS, "EROFS" },
	};
	static char number[32];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(number, sizeof(number), "errno %d", error);
	return number;
}

static void die_errno(int status, const char *what, int error)
	__attribute__((noreturn));

static void die_errno(int status, const char *what, int error)
{
	die(status, "%s: %s (%s)", what, strerror(error), errno_name(error));
}

static void no_arguments(int argc, char **argv)
{
	if (argc > 1)
		die(EXIT_USAGE, "%s takes no argument: %s", argv[0], argv[1]);
}

/* strtoull() takes signs, blanks and octal, and stops at junk: not this one */
static ham_u64 parse_number(const char *name, const char *text)
{
	ham_u64 value;
	const char *rest = mhp_parse_number(text, &value);

	if (rest == text)
		die(EXIT_USAGE, "%s: not a number: %s", name, text);
	if (!rest)
		die(EXIT_USAGE, "%s: too large: %s", name, text);
	if (*rest)
		die(EXIT_USAGE, "%s: trailing characters: %s", name, text);
	return value;
}

static void die_device(void) __attribute__((noreturn));

static void die_device(void)
{
	if (errno == EACCES || errno == EPERM)
		die(EXIT_NO_HAM, DEVICE ": permission denied: be root");
	if (errno == ENOENT || errno == ENXIO || errno == ENODEV)
		die(EXIT_NO_HAM, DEVICE ": not there: is the module ham loaded?");
	die_errno(EXIT_NO_HAM, DEVICE, errno);
}

/*
 * The major number of a character device of that name, 0 if there is none.
 * HAM has one on Linux 2.4, where nothing else makes its device node; on later
 * kernels it is one of the miscellaneous devices.
 */
static unsigned int find_major(const char *name)
{
	FILE *file = fopen(MAJORS_FILE, "r");
	char line[128], device[64];
	unsigned int major = 0, number;

	while (file && !major && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "Block", 5))
			break;
		if (sscanf(line, "%u %63s", &number, device) == 2 &&
		    !strcmp(device, name))
			major = number;
	}
	if (file)
		fclose(file);
	return major;
}

/* Is there what there should be? A node of another major is from before */
static int is_device(unsigned int major)
{
	struct stat st;

	if (lstat(DEVICE, &st))
		return 0;
	if (!S_ISCHR(st.st_mode))
		die(EXIT_NO_HAM, DEVICE ": there, but not a device");
	if (st.st_rdev == makedev(major, 0))
		return 1;
	if (unlink(DEVICE))
		die_device();
	return 0;
}

/* Makes the device node if that is up to us; 1 if it is there then */
static int make_device(void)
{
	unsigned int major = find_major("ham");
	mode_t mask;
	int failed;

	if (!major)
		return 0;
	if (is_device(major))
		return 1;
	mask = umask(0);
	failed = mknod(DEVICE, S_IFCHR | 0600, makedev(major, 0)) &&
		 errno != EEXIST;
	if (failed)
		die_device();
	umask(mask);
	return 1;
}

static int open_device(void)
{
	int fd;

	make_device();
	fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	die_device();
}

static void set_head(struct ham_head *head, size_t size)
{
	head->version = HAM_ABI_VERSION;
	head->size = size;
}

static void get_count(int fd, struct ham_count *count)
{
	memset(count, 0, sizeof(*count));
	set_head(&count->head, sizeof(*count));
	if (ioctl(fd, HAM_IOC_COUNT, count))
		die_errno(EXIT_REFUSED, "count", errno);
}

/* The ranges, to be freed by the caller */
static struct ham_range_info *get_list(int fd, ham_u32 *count)
{
	struct ham_range_info *ranges = NULL;
	struct ham_list list;

	memset(&list, 0, sizeof(list));
	set_head(&list.head, sizeof(list));
	list.entry_size = sizeof(*ranges);
	list.count = 16;
	do {
		free(ranges);
		list.capacity = list.count;
		ranges = calloc(list.capacity, sizeof(*ranges));
		if (!ranges)
			die(EXIT_REFUSED, "out of memory");
		list.buffer = (uintptr_t)ranges;
		if (!ioctl(fd, HAM_IOC_LIST, &list)) {
			*count = list.count;
			return ranges;
		}
	} while (errno == ENOSPC && list.count > list.capacity);
	die_errno(EXIT_REFUSED, "list", errno);
}

static int command_status(int argc, char **argv)
{
	char buffer[4096];
	ssize_t got;
	int fd;

	no_arguments(argc, argv);
	fd = open(STATUS_FILE, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		die(EXIT_NO_HAM, STATUS_FILE ": not there: is the module ham loaded?");
	if (fd < 0)
		die_errno(EXIT_NO_HAM, STATUS_FILE, errno);
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, got, stdout);
	if (got < 0)
		die_errno(EXIT_REFUSED, STATUS_FILE, errno);
	close(fd);
	return 0;
}

static int command_count(int argc, char **argv)
{
	struct ham_count count;
	int fd;

	no_arguments(argc, argv);
	fd = open_device();
	get_count(fd, &count);
	printf("total %lu enabled %lu present %lu failed %lu\n",
	       (unsigned long)count.total, (unsigned long)count.enabled,
	       (unsigned long)count.present, (unsigned long)count.failed);
	close(fd);
	return 0;
}

static int command_list(int argc, char **argv)
{
	struct ham_range_info *ranges;
	ham_u32 count, i;
	int fd;

	no_arguments(argc, argv);
	fd = open_device();
	ranges = get_list(fd, &count);
	for (i = 0; i < count; i++)
		printf("0x%llx 0x%llx %s %s\n",
		       (unsigned long long)ranges[i].start,
		       (unsigned long long)ranges[i].size,
		       ranges[i].attr & HAM_ATTR_RW ? "rw" : "ro",
		       status_names[ranges[i].status % 3]);
	free(ranges);
	close(fd);
	return 0;
}

static ham_u8 parse_attribute(const char *text)
{
	if (!strcmp(text, "rw"))
		return HAM_ATTR_RW;
	if (!strcmp(text, "ro"))
		return HAM_ATTR_RO;
	die(EXIT_USAGE, "attribute: neither rw nor ro: %s", text);
}

static int command_add(int argc, char **argv)
{
	struct ham_add add;
	int fd;

	if (argc < 3 || argc > 4)
		die(EXIT_USAGE, "add wants START SIZE [rw|ro]");
	memset(&add, 0, sizeof(add));
	set_head(&add.head, sizeof(add));
	add.start = parse_number("START", argv[1]);
	add.size = parse_number("SIZE", argv[2]);
	add.attr = argc == 4 ? parse_attribute(argv[3]) : HAM_ATTR_RW;
	fd = open_device();
	if (ioctl(fd, HAM_IOC_ADD, &add)) {
		if (errno == ENOTTY)
			die(EXIT_NO_HAM, "add: the loaded module ham is not a test build");
		die_errno(EXIT_REFUSED, "add", errno);
	}
	close(fd);
	return 0;
}

static int command_retry(int argc, char **argv)
{
	struct ham_retry retry;
	int error = 0;
	int fd;

	no_arguments(argc, argv);
	memset(&retry, 0, sizeof(retry));
	set_head(&retry.head, sizeof(retry));
	fd = open_device();
	if (ioctl(fd, HAM_IOC_RETRY, &retry))
		error = errno;
	if (!error || retry.failed)
		printf("tried %lu failed %lu\n", (unsigned long)retry.tried,
		       (unsigned long)retry.failed);
	if (error)
		die_errno(EXIT_REFUSED, "retry", error);
	close(fd);
	return 0;
}

static ham_u64 memory_block_size(void)
{
	FILE *file = fopen(BLOCKS "/block_size_bytes", "r");
	unsigned long long size;

	if (!file)
		die_errno(EXIT_REFUSED, BLOCKS "/block_size_bytes", errno);
	if (fscanf(file, "%llx", &size) != 1 || !size)
		die(EXIT_REFUSED, BLOCKS "/block_size_bytes: not a size");
	fclose(file);
	return size;
}

/* Returns 1 if the block was offline and is online now, 0 if it was online */
static int online_block(ham_u64 block)
{
	char path[sizeof(BLOCKS) + 40];
	char state[32] = "";
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), BLOCKS "/memory%llu/state",
		 (unsigned long long)block);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die_errno(EXIT_REFUSED, path, errno);
	got = read(fd, state, sizeof(state) - 1);
	if (got < 0)
		die_errno(EXIT_REFUSED, path, errno);
	if (strcmp(state, "offline\n")) {
		close(fd);
		return 0;
	}
	if (pwrite(fd, "online", 6, 0) != 6)
		die_errno(EXIT_REFUSED, path, errno);
	close(fd);
	return 1;
}

static unsigned long online_range(const struct ham_range_info *range,
				  ham_u64 block_size)
{
	ham_u64 last = (range->start + range->size - 1) / block_size;
	ham_u64 block;
	unsigned long done = 0;

	for (block = range->start / block_size; block <= last; block++)
		done += online_block(block);
	return done;
}

static int command_online(int argc, char **argv)
{
	struct ham_range_info *ranges;
	unsigned long done = 0;
	ham_u32 count, i;
	int fd;

	no_arguments(argc, argv);
	fd = open_device();
	ranges = get_list(fd, &count);
	for (i = 0; i < count; i++)
		if (ranges[i].status == HAM_STATUS_PRESENT)
			done += online_range(&ranges[i], memory_block_size());
	printf("%lu blocks brought online\n", done);
	free(ranges);
	close(fd);
	return 0;
}

/* Counts sleeps, since not every kernel HAM runs on has a monotonic clock */
static void wait_for_enabled(int fd, ham_u64 polls)
{
	const struct timespec pause = { 0, 1000000000L / POLLS_PER_SECOND };
	struct ham_count count;

	for (;;) {
		get_count(fd, &count);
		if (!count.present)
			break;
		if (!polls--)
			die(EXIT_TIMEOUT, "timed out: %lu of %lu ranges are not enabled",
			    (unsigned long)(count.total - count.enabled),
			    (unsigned long)count.total);
		nanosleep(&pause, NULL);
	}
	if (count.failed)
		die(EXIT_REFUSED, "%lu of %lu ranges are FAILED",
		    (unsigned long)count.failed, (unsigned long)count.total);
}

static int command_wait_enabled(int argc, char **argv)
{
	ham_u64 seconds = 60;
	int fd;

	if (argc == 3 && !strcmp(argv[1], "--timeout"))
		seconds = parse_number("SECONDS", argv[2]);
	else if (argc != 1)
		die(EXIT_USAGE, "wait-enabled takes only --timeout SECONDS");
	if (seconds > MAX_TIMEOUT)
		die(EXIT_USAGE, "SECONDS: too large: %s", argv[2]);
	fd = open_device();
	wait_for_enabled(fd, seconds * POLLS_PER_SECOND);
	close(fd);
	return 0;
}

static int command_device(int argc, char **argv)
{
	no_arguments(argc, argv);
	if (!make_device() && access(DEVICE, F_OK))
		die(EXIT_NO_HAM, DEVICE ": not there: is the module ham loaded?");
	return 0;
}

static int command_help(int argc, char **argv)
{
	no_arguments(argc, argv);
	fputs(usage_text, stdout);
	return 0;
}

static int command_version(int argc, char **argv)
{
	no_arguments(argc, argv);
	puts("hamctl " HAM_VERSION);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "status", command_status },
	{ "count", command_count },
	{ "list", command_list },
	{ "add", command_add },
	{ "retry", command_retry },
	{ "device", command_device },
	{ "online", command_online },
	{ "wait-enabled", command_wait_enabled },
	{ "--help", command_help },
	{ "--version", command_version },
};

int main(int argc, char **argv)
{
	int status;
	size_t i;

	if (argc < 2)
		die(EXIT_USAGE, "no command: see hamctl --help");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			break;
	if (i == sizeof(commands) / sizeof(commands[0]))
		die(EXIT_USAGE, "unknown command: %s: see hamctl --help",
		    argv[1]);
	status = commands[i].run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout))
		die_errno(EXIT_REFUSED, "standard output", errno);
	return status;
}
