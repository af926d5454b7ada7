// SPDX-License-Identifier: GPL-2.0-only
/*
 * memwork: uses memory in the ways that a kernel has for it, and verifies.
 *
 * memwork hold SIZE		fills memory and keeps it when this has ended
 * memwork release		verifies and gives back what is held
 * memwork cow SIZE		fills, forks, and both write to all pages
 * memwork file TYPE SIZE	a file in a filesystem of memory, of that type
 * memwork read PATH SIZE	twice a file that has the words of memfill
 * memwork swapon DEVICE	the first disk
 *
 * Exit status: 0 verified, 1 bad pages or failed, 3 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fill.h"

#define EXIT_FAILED	1
#define EXIT_USAGE	3
#define HELD		"/dev/held"
#define MOST_HELD	32
#define MOST_FILES	256
#define PLACE		"/mnt"
#define FILE_NAME	PLACE "/memwork"
#define CHUNK_PAGES	256UL
/* The other one of two processes writes other words: those of pages far off */
#define OTHER		(1ULL << 40)

static int failed(const char *what)
{
	printf("memwork: %s: %s\n", what, strerror(errno));
	return EXIT_FAILED;
}

static int verified(const char *what, uint64_t pages, uint64_t bad)
{
	printf("memwork: %s: %llu bytes verified, %llu bad pages\n", what,
	       (unsigned long long)(pages * FILL_PAGE),
	       (unsigned long long)bad);
	return bad ? EXIT_FAILED : 0;
}

static void *map(uint64_t pages)
{
	void *place = mmap(NULL, pages * FILL_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return place == MAP_FAILED ? NULL : place;
}

/* In a process of its own, without the files of the one that started it */
static void keep(uint64_t pages, int ready, const char *result)
{
	void *words = map(pages);
	uint64_t bad;
	char part[48];
	FILE *told;
	sigset_t signals;
	int number;

	if (!words)
		_exit(EXIT_FAILED);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	fill_pages(words, 0, pages);
	if (write(ready, "", 1) != 1)
		_exit(EXIT_FAILED);
	close(ready);
	sigwait(&signals, &number);
	bad = count_bad_pages(words, 0, pages);
	munmap(words, pages * FILL_PAGE);
	snprintf(part, sizeof(part), "%s.part", result);
	told = fopen(part, "w");
	if (!told)
		_exit(EXIT_FAILED);
	fprintf(told, "%llu %llu\n", (unsigned long long)pages,
		(unsigned long long)bad);
	_exit(fclose(told) || rename(part, result) ? EXIT_FAILED : 0);
}

/* Nobody waits for it, so that its entry stays when it has ended */
static int has_ended(const char *holder)
{
	char path[40], stat[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/stat", holder);
	file = fopen(path, "r");
	if (!file)
		return 1;
	if (!fgets(stat, sizeof(stat), file))
		stat[0] = '\0';
	fclose(file);
	return !stat[0] || strstr(stat, ") Z ") != NULL;
}

/* HELD.N is a link to the process that holds; HELD.N.told has its result */
static int hold(uint64_t pages)
{
	char path[32], result[40], holder[16], byte;
	int ends[2], number;
	pid_t child;

	for (number = 0; number < MOST_HELD; number++) {
		snprintf(path, sizeof(path), HELD ".%d", number);
		if (readlink(path, holder, sizeof(holder)) < 0)
			break;
	}
	snprintf(result, sizeof(result), "%s.told", path);
	if (number == MOST_HELD || pipe(ends))
		return failed("hold");
	child = fork();
	if (child == 0) {
		/* Whoever reads what we say waits for the last to close it */
		for (number = 0; number < MOST_FILES; number++)
			if (number != ends[1])
				close(number);
		setsid();
		keep(pages, ends[1], result);
	}
	close(ends[1]);
	if (child < 0 || read(ends[0], &byte, 1) != 1)
		return failed("hold");
	snprintf(holder, sizeof(holder), "%d", (int)child);
	if (symlink(holder, path))
		return failed(path);
	printf("memwork: hold: %llu bytes\n",
	       (unsigned long long)(pages * FILL_PAGE));
	return 0;
}

static int release_one(const char *path, uint64_t *pages, uint64_t *bad)
{
	char result[40], holder[16] = "", told[64] = "";
	unsigned long long some, wrong;
	FILE *file;

	if (readlink(path, holder, sizeof(holder) - 1) < 0)
		return -1;
	snprintf(result, sizeof(result), "%s.told", path);
	if (kill(atoi(holder), SIGUSR1))
		return failed("release");
	while (access(result, R_OK) && !has_ended(holder))
		usleep(10000);
	file = fopen(result, "r");
	if (!file || !fgets(told, sizeof(told), file) ||
	    sscanf(told, "%llu %llu", &some, &wrong) != 2)
		return failed(result);
	fclose(file);
	unlink(result);
	unlink(path);
	*pages += some;
	*bad += wrong;
	return 0;
}

static int release(void)
{
	uint64_t pages = 0, bad = 0;
	char path[32];
	int number, status;

	for (number = 0; number < MOST_HELD; number++) {
		snprintf(path, sizeof(path), HELD ".%d", number);
		status = release_one(path, &pages, &bad);
		if (status > 0)
			return status;
	}
	return verified("release", pages, bad);
}

static int cow(uint64_t pages)
{
	void *words = map(pages);
	uint64_t bad;
	int status;
	pid_t child;

	if (!words)
		return failed("cow");
	fill_pages(words, 0, pages);
	child = fork();
	if (child < 0)
		return failed("cow");
	bad = count_bad_pages(words, 0, pages);
	if (child == 0) {
		fill_pages(words, OTHER, pages);
		bad += count_bad_pages(words, OTHER, pages);
		_exit(bad ? EXIT_FAILED : 0);
	}
	fill_pages(words, 2 * OTHER, pages);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return failed("cow");
	bad += count_bad_pages(words, 2 * OTHER, pages);
	if (status) {
		printf("memwork: cow: the child's status is %#x\n", status);
		return EXIT_FAILED;
	}
	return verified("cow", pages, bad);
}

/* Writes or verifies a file of whole pages; -1 when it cannot be done */
static int pass(const char *path, uint64_t pages, int writes, uint64_t *bad)
{
	static uint64_t words[CHUNK_PAGES * FILL_PAGE / sizeof(uint64_t)];
	int flags = writes ? O_WRONLY | O_CREAT | O_EXCL : O_RDONLY;
	int fd = open(path, flags, 0600);
	uint64_t page, count;
	ssize_t done = 0;

	for (page = 0; fd >= 0 && page < pages; page += count) {
		count = pages - page < CHUNK_PAGES ? pages - page : CHUNK_PAGES;
		if (writes)
			fill_pages(words, page, count);
		done = writes ? write(fd, words, count * FILL_PAGE) :
				read(fd, words, count * FILL_PAGE);
		if (done != (ssize_t)(count * FILL_PAGE))
			break;
		if (!writes)
			*bad += count_bad_pages(words, page, count);
	}
	if (fd < 0 || close(fd) || page < pages)
		return -1;
	return 0;
}

static int in_memory(const char *type, uint64_t pages)
{
	uint64_t bad = 0;

	if (mount("none", PLACE, type, 0, NULL))
		return failed(type);
	if (pass(FILE_NAME, pages, 1, &bad) || pass(FILE_NAME, pages, 0, &bad))
		return failed(FILE_NAME);
	if (unlink(FILE_NAME) || umount(PLACE))
		return failed(PLACE);
	return verified(type, pages, bad);
}

/* The first disk, for which a guest's /dev may have no node */
static int swap_to(const char *device)
{
	if (access(device, F_OK))
		mknod(device, S_IFBLK | 0600, makedev(3, 0));
	return swapon(device, 0) ? failed(device) : 0;
}

static int read_twice(const char *path, uint64_t pages)
{
	uint64_t bad = 0;

	if (pass(path, pages, 0, &bad) || pass(path, pages, 0, &bad))
		return failed(path);
	return verified("read", pages, bad);
}

/* Pages of a size with suffix K, M or G; 0 is an error */
static uint64_t pages_of(const char *text)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	char *end;
	uint64_t value;

	if (!text || *text < '0' || *text > '9')
		return 0;
	value = strtoull(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (end[suffix ? 1 : 0])
		return 0;
	if (suffix)
		value <<= 10 * (suffix - suffixes + 1);
	return value / FILL_PAGE;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";
	uint64_t pages = argc > 2 ? pages_of(argv[argc - 1]) : 0;

	if (argc == 2 && !strcmp(command, "release"))
		return release();
	if (argc == 3 && !strcmp(command, "swapon"))
		return swap_to(argv[2]);
	if (argc == 3 && pages && !strcmp(command, "hold"))
		return hold(pages);
	if (argc == 3 && pages && !strcmp(command, "cow"))
		return cow(pages);
	if (argc == 4 && pages && !strcmp(command, "file"))
		return in_memory(argv[2], pages);
	if (argc == 4 && pages && !strcmp(command, "read"))
		return read_twice(argv[2], pages);
	fputs("usage: memwork hold SIZE | release | cow SIZE | file TYPE SIZE | "
	      "read PATH SIZE | swapon DEVICE\n", stderr);
	return EXIT_USAGE;
}
