// SPDX-License-Identifier: GPL-2.0-only
/*
 * hamabuse: misuses /dev/ham in every way that its interface rules out, and
 * expects the documented errno each time. To be run as root with HAM loaded.
 * Prints TAP; exit status 0 when all is as documented, 1 when not, 2 when there
 * is no /dev/ham to misuse, 3 usage.
 *
 * hamabuse [START SIZE]: with a range, in test builds, that is added in eight
 * parts while eight processes call what they can and read the status.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "ham.h"

#define DEVICE		"/dev/ham"
#define STATUS_FILE	"/proc/ham/status"
#define NOBODY		65534
#define NO_RAM		0xe0000000ULL	/* where a PC has devices */
#define STORM_PROCESSES	8
#define STORM_ROUNDS	500
#define STORM_PARTS	8

static int tests, failures;

static void result(int good, const char *name, const char *detail)
{
	tests++;
	failures += !good;
	printf("%sok %d - %s%s%s\n", good ? "" : "not ", tests, name,
	       detail ? ": " : "", detail ? detail : "");
	fflush(stdout);
}

static void skip(const char *name, const char *why)
{
	tests++;
	printf("ok %d - %s # SKIP %s\n", tests, name, why);
}

/* error: what the call should fail with, 0 for success */
static void expect(const char *name, int error, int returned)
{
	char detail[64];
	int got = returned < 0 ? errno : 0;

	snprintf(detail, sizeof(detail), "errno %d, expected %d", got, error);
	result(got == error, name, got == error ? NULL : detail);
}

static void set_head(struct ham_head *head, size_t size)
{
	head->version = HAM_ABI_VERSION;
	head->size = size;
}

static struct ham_count new_count(void)
{
	struct ham_count count;

	memset(&count, 0, sizeof(count));
	set_head(&count.head, sizeof(count));
	return count;
}

static struct ham_list new_list(struct ham_range_info *into, ham_u32 capacity)
{
	struct ham_list list;

	memset(&list, 0, sizeof(list));
	set_head(&list.head, sizeof(list));
	list.entry_size = sizeof(*into);
	list.capacity = capacity;
	list.buffer = (uintptr_t)into;
	return list;
}

static struct ham_retry new_retry(void)
{
	struct ham_retry retry;

	memset(&retry, 0, sizeof(retry));
	set_head(&retry.head, sizeof(retry));
	return retry;
}

static struct ham_add new_add(ham_u64 start, ham_u64 size, ham_u8 attr)
{
	struct ham_add add;

	memset(&add, 0, sizeof(add));
	set_head(&add.head, sizeof(add));
	add.start = start;
	add.size = size;
	add.attr = attr;
	return add;
}

static void abuse_numbers(int fd)
{
	struct ham_count count = new_count();

	expect("unknown number of ours", ENOTTY,
	       ioctl(fd, _IO(HAM_IOC_MAGIC, 0x7f), 0));
	expect("unknown magic", ENOTTY, ioctl(fd, _IO('T', 1), 0));
	expect("known number with another size", ENOTTY,
	       ioctl(fd, _IOWR(HAM_IOC_MAGIC, 2, ham_u64), &count));
	expect("COUNT as it should be", 0, ioctl(fd, HAM_IOC_COUNT, &count));
	result(count.total == count.enabled + count.present + count.failed,
	       "COUNT adds up", NULL);
}

static void abuse_pointers(int fd)
{
	void *unmapped = mmap(NULL, 4096, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *kernel = (void *)(uintptr_t)-4096;

	expect("COUNT with NULL", EFAULT, ioctl(fd, HAM_IOC_COUNT, NULL));
	expect("COUNT unmapped", EFAULT, ioctl(fd, HAM_IOC_COUNT, unmapped));
	expect("COUNT in the kernel", EFAULT, ioctl(fd, HAM_IOC_COUNT, kernel));
	expect("LIST unmapped", EFAULT, ioctl(fd, HAM_IOC_LIST, unmapped));
	expect("RETRY unmapped", EFAULT, ioctl(fd, HAM_IOC_RETRY, unmapped));
	munmap(unmapped, 4096);
}

static void abuse_heads(int fd)
{
	struct ham_count count = new_count();
	struct ham_list list = new_list(NULL, 0);
	struct ham_retry retry = new_retry();

	count.head.version = HAM_ABI_VERSION + 1;
	expect("COUNT of a later version", EINVAL,
	       ioctl(fd, HAM_IOC_COUNT, &count));
	count = new_count();
	count.head.size--;
	expect("COUNT of wrong size", EINVAL, ioctl(fd, HAM_IOC_COUNT, &count));
	list.head.version = 0;
	expect("LIST of version 0", EINVAL, ioctl(fd, HAM_IOC_LIST, &list));
	list = new_list(NULL, 0);
	list.entry_size++;
	expect("LIST of wrong entry size", EINVAL,
	       ioctl(fd, HAM_IOC_LIST, &list));
	list = new_list(NULL, 0);
	list.pad = 1;
	expect("LIST with padding set", EINVAL, ioctl(fd, HAM_IOC_LIST, &list));
	retry.head.size += 8;
	expect("RETRY of wrong size", EINVAL, ioctl(fd, HAM_IOC_RETRY, &retry));
}

/* A buffer that ends where nothing is mapped: an entry too much is seen */
static struct ham_range_info *guarded(size_t entries, void **map)
{
	size_t page = sysconf(_SC_PAGESIZE);
	size_t room = (entries * sizeof(struct ham_range_info) + page) /
		      page * page;
	char *at = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || munmap(at + room, page)) {
		perror("hamabuse: mmap");
		exit(1);
	}
	*map = at;
	return (void *)(at + room - entries * sizeof(struct ham_range_info));
}

static void abuse_short_buffer(int fd, ham_u32 total)
{
	struct ham_range_info *ranges;
	struct ham_list list;
	void *map;

	ranges = guarded(total - 1, &map);
	list = new_list(ranges, total - 1);
	expect("LIST into a buffer one short", ENOSPC,
	       ioctl(fd, HAM_IOC_LIST, &list));
	result(list.count == total, "LIST tells the count needed", NULL);
	result(total < 2 || ranges[0].size == 0,
	       "LIST leaves a short buffer alone", NULL);
	list = new_list(ranges, total);
	list.buffer = 8;
	expect("LIST into nowhere", EFAULT, ioctl(fd, HAM_IOC_LIST, &list));
	list = new_list(ranges, 0xffffffff);
	expect("LIST with a capacity that lies", EFAULT,
	       ioctl(fd, HAM_IOC_LIST, &list));
}

static void abuse_list(int fd)
{
	struct ham_count count = new_count();
	struct ham_range_info *ranges;
	struct ham_list list;
	void *map;

	if (ioctl(fd, HAM_IOC_COUNT, &count) || !count.total) {
		skip("LIST into a short buffer", "HAM has no ranges");
		return;
	}
	abuse_short_buffer(fd, count.total);
	ranges = guarded(count.total, &map);
	list = new_list(ranges, count.total);
	expect("LIST into a buffer just right", 0,
	       ioctl(fd, HAM_IOC_LIST, &list));
	result(list.count == count.total && ranges[0].size != 0,
	       "LIST fills it", NULL);
}

static int add(int fd, ham_u64 start, ham_u64 size, ham_u8 attr)
{
	struct ham_add request = new_add(start, size, attr);

	return ioctl(fd, HAM_IOC_ADD, &request);
}

/* Zero size is refused by every test build and adds nothing */
static int is_test_build(int fd)
{
	return add(fd, 0, 0, HAM_ATTR_RW) < 0 && errno != ENOTTY;
}

static void abuse_add(int fd)
{
	struct ham_add request = new_add(0, 1 << 30, HAM_ATTR_RW);

	if (!is_test_build(fd)) {
		expect("ADD in a production build", ENOTTY,
		       add(fd, 0, 0, HAM_ATTR_RW));
		return;
	}
	expect("ADD of nothing", EINVAL, add(fd, 1ULL << 32, 0, HAM_ATTR_RW));
	expect("ADD that overflows", EINVAL,
	       add(fd, ~0ULL - 4095, 8192, HAM_ATTR_RW));
	expect("ADD up to 2^64", EINVAL,
	       add(fd, ~0ULL - 4095, 4096, HAM_ATTR_RW));
	expect("ADD misaligned", EINVAL,
	       add(fd, NO_RAM + 4096, 1 << 27, HAM_ATTR_RW));
	expect("ADD of less than a block", EINVAL,
	       add(fd, NO_RAM, 4096, HAM_ATTR_RW));
	expect("ADD with an unknown attribute", EINVAL,
	       add(fd, NO_RAM, 1 << 27, 2));
	expect("ADD beyond what can be addressed", E2BIG,
	       add(fd, 1ULL << 60, 1 << 27, HAM_ATTR_RW));
	request.pad[6] = 1;
	expect("ADD with padding set", EINVAL, ioctl(fd, HAM_IOC_ADD, &request));
	request = new_add(0, 1 << 30, HAM_ATTR_RW);
	request.head.version = 9;
	expect("ADD of another version", EINVAL,
	       ioctl(fd, HAM_IOC_ADD, &request));
	expect("ADD with NULL", EFAULT, ioctl(fd, HAM_IOC_ADD, NULL));
}

static void drop_privileges(void)
{
	if (setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY)) {
		perror("hamabuse: dropping privileges");
		exit(1);
	}
}

/* Runs in a child: exits with the errno of what it tried */
static int errno_as_nobody(int fd, int what)
{
	struct ham_retry retry = new_retry();
	int status;
	pid_t child = fork();

	if (child == 0) {
		drop_privileges();
		if (what == 0)
			_exit(open(DEVICE, O_RDWR) < 0 ? errno : 0);
		if (what == 1)
			_exit(open(STATUS_FILE, O_RDONLY) < 0 ? errno : 0);
		if (what == 2)
			_exit(ioctl(fd, HAM_IOC_RETRY, &retry) < 0 ? errno : 0);
		_exit(add(fd, 1ULL << 32, 0, HAM_ATTR_RW) < 0 ? errno : 0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void abuse_unprivileged(int fd)
{
	result(errno_as_nobody(fd, 0) == EACCES,
	       "nobody may not open the device", NULL);
	result(errno_as_nobody(fd, 1) == EACCES,
	       "nobody may not read the status", NULL);
	result(errno_as_nobody(fd, 2) == EPERM,
	       "nobody may not RETRY through an inherited file", NULL);
	if (is_test_build(fd))
		result(errno_as_nobody(fd, 3) == EPERM,
		       "nobody may not ADD through an inherited file", NULL);
}

static int read_status(void)
{
	char buffer[100];
	ssize_t got;
	int fd = open(STATUS_FILE, O_RDONLY);

	if (fd < 0)
		return -1;
	while ((got = read(fd, buffer, sizeof(buffer))) > 0)
		;
	close(fd);
	return got;
}

static int sorted_and_disjoint(const struct ham_range_info *range, ham_u32 n)
{
	ham_u32 i;

	for (i = 1; i < n; i++)
		if (range[i - 1].start + range[i - 1].size > range[i].start)
			return 0;
	return 1;
}

static int storm_list(int fd)
{
	struct ham_range_info ranges[64];
	struct ham_list list = new_list(ranges, 64);

	if (ioctl(fd, HAM_IOC_LIST, &list))
		return errno == ENOSPC;
	return sorted_and_disjoint(ranges, list.count);
}

static int storm_round(int fd, int number)
{
	struct ham_count count = new_count();
	struct ham_retry retry = new_retry();

	if (ioctl(fd, HAM_IOC_COUNT, &count) ||
	    count.total != count.enabled + count.present + count.failed)
		return 0;
	if (!storm_list(fd) || read_status())
		return 0;
	if (ioctl(fd, _IO(HAM_IOC_MAGIC, number & 0x7f), 0) != -1)
		return 0;
	/* Once: where ranges really fail each retry fills the kernel log */
	if (number == STORM_ROUNDS / 2)
		ioctl(fd, HAM_IOC_RETRY, &retry);
	return 1;
}

/* Ranges neither vanish nor leave ENABLED, whoever looks while others come */
static int storm_grows(int fd, struct ham_count *last)
{
	struct ham_count count = new_count();

	if (ioctl(fd, HAM_IOC_COUNT, &count))
		return 0;
	if (last->total > count.total || last->enabled > count.enabled)
		return 0;
	*last = count;
	return 1;
}

static int storm(void)
{
	struct ham_count last = new_count();
	int fd = open(DEVICE, O_RDWR);
	int i;

	if (fd < 0)
		return 1;
	for (i = 0; i < STORM_ROUNDS; i++)
		if (!storm_round(fd, i) || !storm_grows(fd, &last))
			return 1;
	return 0;
}

static void add_in_parts(int fd, ham_u64 start, ham_u64 size)
{
	struct ham_count before = new_count(), after = new_count();
	int i, failed = 0;

	if (ioctl(fd, HAM_IOC_COUNT, &before))
		failed++;
	for (i = 0; i < STORM_PARTS; i++)
		if (add(fd, start + size / STORM_PARTS * i, size / STORM_PARTS,
			HAM_ATTR_RW))
			failed++;
	if (ioctl(fd, HAM_IOC_COUNT, &after))
		failed++;
	result(!failed, "ADD in eight parts during the storm", NULL);
	result(after.total == before.total + STORM_PARTS &&
	       after.failed == before.failed, "each part is a range", NULL);
}

/* size 0: nothing is added */
static void abuse_by_storm(int fd, ham_u64 start, ham_u64 size)
{
	int status, i, good = 0;

	fflush(stdout);
	for (i = 0; i < STORM_PROCESSES; i++)
		if (fork() == 0)
			_exit(storm());
	if (size)
		add_in_parts(fd, start, size);
	for (i = 0; i < STORM_PROCESSES; i++)
		if (wait(&status) > 0 && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			good++;
	result(good == STORM_PROCESSES, "a storm of ioctls from 8 processes",
	       NULL);
}

static ham_u64 number(const char *text)
{
	char *end;
	ham_u64 value = strtoull(text, &end, 0);

	if (end == text || *end) {
		fprintf(stderr, "usage: hamabuse [START SIZE]\n");
		exit(3);
	}
	return value;
}

int main(int argc, char **argv)
{
	ham_u64 start = argc == 3 ? number(argv[1]) : 0;
	ham_u64 size = argc == 3 ? number(argv[2]) : 0;
	int fd = open(DEVICE, O_RDWR);

	if (argc != 1 && argc != 3) {
		fprintf(stderr, "usage: hamabuse [START SIZE]\n");
		return 3;
	}
	if (fd < 0) {
		perror("hamabuse: " DEVICE);
		return 2;
	}
	abuse_numbers(fd);
	abuse_pointers(fd);
	abuse_heads(fd);
	abuse_list(fd);
	abuse_add(fd);
	abuse_unprivileged(fd);
	abuse_by_storm(fd, start, size);
	printf("1..%d\n", tests);
	return failures ? 1 : 0;
}
