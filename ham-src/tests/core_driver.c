// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives the core on the host: a small machine stands in for the kernel, one
 * command a line comes in, and what the core did goes out. The port checks that
 * the core keeps the rules for its locks and never asks for what is absurd.
 *
 * Numbers are hexadecimal.
 *
 * boot START END		RAM that somebody else integrated, online
 * hole START END		no RAM: integrating it fails with ENODEV
 * reserved START END		a device: integrating it fails with EEXIST
 * auto 0|1			is what gets integrated brought online at once?
 * fail N ERRNO			let the Nth integration from here fail, once
 * failalloc N			let the Nth allocation from here fail, once
 * failundo ERRNO		let undoing fail with it; 0 for success
 * online START END		pages come online, and the core is told
 * offline START END		the reverse
 * whole 0|1			does the VM take a request whole, as 2.4's does?
 * privileged 0|1		may the caller of an ioctl change memory?
 * user OFFSET WORD64		puts that into the caller's memory,
 *				which begins at 1000
 * ioctl CMD ADDRESS		-> rc NUMBER
 * peek OFFSET			-> word WORD64, of the caller's memory
 * add START SIZE ATTRIBUTE	-> rc NUMBER
 * retry			-> rc NUMBER TRIED FAILED
 * count			-> count TOTAL ENABLED PRESENT FAILED
 * status			-> the status lines, then a line with a dot
 * read BYTES			the same, in parts of so many bytes
 * short CAPACITY		-> total NUMBER; checks that no more is written
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ham_core.h"

#define UNIVERSE	(1UL << 18)
#define BLOCK		16UL
#define USER_START	0x1000UL
#define USER_BYTES	4096UL

static char known[UNIVERSE], online[UNIVERSE], hole[UNIVERSE];
static char reserved[UNIVERSE];
static int auto_online;
static long fail_integrate, fail_alloc;
static int fail_errno, undo_errno;

static int add_locked, readers, writers;
static long live_objects;

static struct ham_core core;
static struct ham_port_ops port;
static struct ham_range_info before[HAM_MAX_RANGES], during[HAM_MAX_RANGES];
static ham_u32 count_before;
static int retrying;

static void check(int good, const char *what)
{
	if (good)
		return;
	printf("BROKEN %s\n", what);
	fflush(stdout);
	abort();
}

static int any(const char *map, ham_u64 start, ham_u64 end)
{
	return memchr(map + start, 1, end - start) != NULL;
}

static int all(const char *map, ham_u64 start, ham_u64 end)
{
	return memchr(map + start, 0, end - start) == NULL;
}

/* The same for the part of a range that is not known */
static int any_missing(const char *map, ham_u64 start, ham_u64 end)
{
	for (; start < end; start++)
		if (map[start] && !known[start])
			return 1;
	return 0;
}

static void set(char *map, ham_u64 start, ham_u64 end, int value)
{
	check(start < end && end <= UNIVERSE, "range of a command");
	memset(map + start, value, end - start);
}

static int counted_down(long *counter)
{
	return *counter && --*counter == 0;
}

static void *port_alloc(unsigned long bytes)
{
	void *object;

	check(!readers && !writers, "allocates under the list lock");
	if (counted_down(&fail_alloc))
		return NULL;
	object = malloc(bytes);
	check(object != NULL, "host out of memory");
	live_objects++;
	return object;
}

static void port_free(void *object)
{
	check(object != NULL, "frees nothing");
	live_objects--;
	free(object);
}

static void port_add_lock(void)
{
	check(!add_locked && !readers && !writers, "order of locks");
	add_locked = 1;
}

static void port_add_unlock(void)
{
	check(add_locked && !readers && !writers, "order of unlocking");
	add_locked = 0;
}

static void port_read_lock(void)
{
	check(!readers && !writers, "nested list lock");
	readers = 1;
}

static void port_read_unlock(void)
{
	check(readers, "unlocks what is not locked");
	readers = 0;
}

static void port_write_lock(void)
{
	check(!readers && !writers, "nested list lock");
	writers = 1;
}

static void port_write_unlock(void)
{
	check(writers, "unlocks what is not locked");
	writers = 0;
}

static ham_u64 port_alignment(void)
{
	return BLOCK;
}

static int port_reachable(ham_u64 start, ham_u64 end)
{
	check(start < end, "empty range");
	return end <= UNIVERSE;
}

static int port_known(ham_u64 start, ham_u64 end, ham_u64 *known_start,
		      ham_u64 *known_end)
{
	char *first;
	ham_u64 at;

	check(start < end && end <= UNIVERSE, "range of known()");
	first = memchr(known + start, 1, end - start);
	if (!first)
		return 0;
	for (at = first - known; at < UNIVERSE && known[at]; at++)
		;
	*known_start = first - known;
	*known_end = at;
	return 1;
}

/* A reader that comes while a request is being worked on sees nothing of it */
static void read_during_add(void)
{
	ham_u32 count = ham_core_snapshot(&core, during, HAM_MAX_RANGES);

	if (retrying)
		return;
	check(count == count_before, "a reader sees half a request");
	check(!memcmp(before, during, count * sizeof(*before)),
	      "a reader sees half a request");
}

static int refusal(ham_u64 start, ham_u64 end, ham_u8 attr, const char **why)
{
	if (!(attr & HAM_ATTR_RW)) {
		*why = "read-only";
		return -EROFS;
	}
	if (any_missing(reserved, start, end)) {
		*why = "reserved";
		return -EEXIST;
	}
	if (any_missing(hole, start, end)) {
		*why = "hole";
		return -ENODEV;
	}
	if (counted_down(&fail_integrate)) {
		*why = "injected";
		return -fail_errno;
	}
	return 0;
}

static int port_integrate(ham_u64 start, ham_u64 end, ham_u8 attr,
			  const char **why)
{
	int error;

	check(add_locked && !readers && !writers, "locks at integrate()");
	check(start % BLOCK == 0 && end % BLOCK == 0, "alignment");
	check(start < end, "integrates nothing");
	check(port.whole || !any(known, start, end), "integrates known RAM");
	check(!known[start] && !known[end - 1], "more than what is missing");
	error = refusal(start, end, attr, why);
	if (error)
		return error;
	set(known, start, end, 1);
	if (auto_online || port.whole) {
		set(online, start, end, 1);
		ham_core_refresh(&core, start, end);
	}
	read_during_add();
	return 0;
}

static int port_undo(ham_u64 start, ham_u64 end)
{
	check(add_locked && !readers && !writers, "locks at undo()");
	check(!port.whole, "undoes where failure leaves nothing");
	check(all(known, start, end), "undoes what is not integrated");
	if (undo_errno)
		return -undo_errno;
	set(known, start, end, 0);
	set(online, start, end, 0);
	ham_core_refresh(&core, start, end);
	return 0;
}

static int port_usable(ham_u64 start, ham_u64 end)
{
	check(writers, "usable() outside the list lock");
	return all(online, start, end);
}

static void port_refused(const struct ham_refusal *r)
{
	check(r->why && r->error > 0, "a refusal without reason");
	check(r->start < r->end || r->end == 0, "range of a refusal");
	printf("refused %llx %llx %llx %llx %d\n", (unsigned long long)r->start,
	       (unsigned long long)r->end - 1, (unsigned long long)r->bad_start,
	       (unsigned long long)r->bad_end - 1, r->error);
}

static void port_not_undone(ham_u64 start, ham_u64 end, int error)
{
	printf("not undone %llx %llx %d\n", (unsigned long long)start,
	       (unsigned long long)end - 1, error);
}

static void port_ioctl_refused(const char *ioctl_name, const char *why,
			       int error)
{
	check(ioctl_name && why && error > 0, "an ioctl refused without reason");
}

static void *port_big_alloc(unsigned long bytes)
{
	return port_alloc(bytes);
}

static void port_big_free(void *object, unsigned long bytes)
{
	check(bytes >= sizeof(struct ham_range_info), "frees too little");
	/* A wrong size is a write beyond the end */
	memset(object, 0x5a, bytes);
	port_free(object);
}

/* The caller's memory: what the driver says can be read and written */
static char user[USER_BYTES];

static int port_get(void *to, ham_u64 from, unsigned long bytes)
{
	check(!readers && !writers, "copies under the list lock");
	if (from < USER_START || from - USER_START > USER_BYTES ||
	    bytes > USER_BYTES - (from - USER_START))
		return -EFAULT;
	memcpy(to, user + (from - USER_START), bytes);
	return 0;
}

static int port_put(ham_u64 to, const void *from, unsigned long bytes)
{
	check(!readers && !writers, "copies under the list lock");
	if (to < USER_START || to - USER_START > USER_BYTES ||
	    bytes > USER_BYTES - (to - USER_START))
		return -EFAULT;
	memcpy(user + (to - USER_START), from, bytes);
	return 0;
}

static int privileged = 1;

static int port_privileged(void)
{
	return privileged;
}

static struct ham_port_ops port = {
	.alloc = port_alloc, .free = port_free,
	.add_lock = port_add_lock, .add_unlock = port_add_unlock,
	.read_lock = port_read_lock, .read_unlock = port_read_unlock,
	.write_lock = port_write_lock, .write_unlock = port_write_unlock,
	.alignment = port_alignment, .reachable = port_reachable,
	.known = port_known, .integrate = port_integrate, .undo = port_undo,
	.usable = port_usable, .refused = port_refused,
	.not_undone = port_not_undone,
	.big_alloc = port_big_alloc, .big_free = port_big_free,
	.get = port_get, .put = port_put, .privileged = port_privileged,
	.ioctl_refused = port_ioctl_refused,
};

static void command_add(ham_u64 start, ham_u64 size, ham_u64 attr)
{
	int error;

	count_before = ham_core_snapshot(&core, before, HAM_MAX_RANGES);
	error = ham_core_add(&core, start, size, attr);
	if (error && error != -ENOMEM)
		check(live_objects == (long)core.count, "leak");
	printf("rc %d\n", error);
}

static void command_retry(void)
{
	struct ham_retry retry;
	int error;

	/* Each range is a request of its own: readers may see between them */
	retrying = 1;
	error = ham_core_retry(&core, &retry);
	retrying = 0;
	printf("rc %d %lu %lu\n", error, (unsigned long)retry.tried,
	       (unsigned long)retry.failed);
}

static void command_count(void)
{
	struct ham_count count;

	ham_core_count(&core, &count);
	check(live_objects == (long)count.total, "leak");
	printf("count %lu %lu %lu %lu\n", (unsigned long)count.total,
	       (unsigned long)count.enabled, (unsigned long)count.present,
	       (unsigned long)count.failed);
}

static void command_status(void)
{
	char line[HAM_LINE_MAX];
	ham_u32 count, i;

	count = ham_core_snapshot(&core, during, HAM_MAX_RANGES);
	for (i = 0; i < count; i++) {
		check((size_t)ham_core_format(line, &during[i]) == strlen(line),
		      "length of a line");
		fputs(line, stdout);
	}
	puts(".");
}

/* The same lines, read in parts of so many bytes */
static void command_read(unsigned long bytes)
{
	struct ham_range_info *ranges;
	ham_u64 offset = 0;
	unsigned long got;
	ham_u32 count;
	char *part;

	ranges = ham_core_take(&core, &count);
	part = malloc(bytes);
	check(ranges && part && bytes, "host out of memory");
	while ((got = ham_core_text(ranges, count, offset, part, bytes))) {
		check(got <= bytes, "more than there is room for");
		fwrite(part, 1, got, stdout);
		offset += got;
	}
	check(!ham_core_text(ranges, count, offset + 1, part, bytes),
	      "text behind the end");
	puts(".");
	free(part);
	ham_core_drop(&core, ranges, count);
}

static void command_user(ham_u64 offset, ham_u64 word)
{
	check(offset <= USER_BYTES - sizeof(word), "range of a command");
	memcpy(user + offset, &word, sizeof(word));
}

static void command_peek(ham_u64 offset)
{
	ham_u64 word;

	check(offset <= USER_BYTES - sizeof(word), "range of a command");
	memcpy(&word, user + offset, sizeof(word));
	printf("word %llx\n", (unsigned long long)word);
}

static void command_short(ham_u32 capacity)
{
	struct ham_range_info *into;
	ham_u32 total;

	into = malloc(capacity * sizeof(*into) + 1);
	check(into != NULL, "host out of memory");
	total = ham_core_snapshot(&core, into, capacity);
	free(into);
	printf("total %lu\n", (unsigned long)total);
}

static void command_change(const char *name, ham_u64 start, ham_u64 end)
{
	if (!strcmp(name, "boot")) {
		set(known, start, end, 1);
		set(online, start, end, 1);
		ham_core_refresh(&core, start, end);
	} else if (!strcmp(name, "hole")) {
		set(hole, start, end, 1);
	} else if (!strcmp(name, "reserved")) {
		set(reserved, start, end, 1);
	} else {
		check(!strcmp(name, "online") || !strcmp(name, "offline"),
		      "unknown command");
		set(online, start, end, !strcmp(name, "online"));
		ham_core_refresh(&core, start, end);
	}
}

static void obey(const char *name, ham_u64 a, ham_u64 b, ham_u64 c)
{
	if (!strcmp(name, "add")) {
		command_add(a, b, c);
	} else if (!strcmp(name, "retry")) {
		command_retry();
	} else if (!strcmp(name, "count")) {
		command_count();
	} else if (!strcmp(name, "status")) {
		command_status();
	} else if (!strcmp(name, "short")) {
		command_short(a);
	} else if (!strcmp(name, "read")) {
		command_read(a);
	} else if (!strcmp(name, "user")) {
		command_user(a, b);
	} else if (!strcmp(name, "peek")) {
		command_peek(a);
	} else if (!strcmp(name, "ioctl")) {
		printf("rc %d\n", ham_core_ioctl(&core, a, b));
	} else if (!strcmp(name, "privileged")) {
		privileged = a;
	} else if (!strcmp(name, "whole")) {
		port.whole = a;
	} else if (!strcmp(name, "auto")) {
		auto_online = a;
	} else if (!strcmp(name, "fail")) {
		fail_integrate = a;
		fail_errno = b;
	} else if (!strcmp(name, "failalloc")) {
		fail_alloc = a;
	} else if (!strcmp(name, "failundo")) {
		undo_errno = a;
	} else {
		command_change(name, a, b);
	}
}

int main(void)
{
	unsigned long long a, b, c;
	char line[200], name[20];

	ham_core_init(&core, &port);
	while (fgets(line, sizeof(line), stdin)) {
		a = b = c = 0;
		check(sscanf(line, "%19s %llx %llx %llx", name, &a, &b, &c) > 0,
		      "empty command");
		obey(name, a, b, c);
	}
	ham_core_destroy(&core);
	check(live_objects == 0 && !add_locked && !readers && !writers,
	      "leak at the end");
	puts("end");
	return 0;
}
