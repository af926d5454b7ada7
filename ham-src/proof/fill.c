// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fills every page with words made from the page's number, and verifies all
 * pages only when all are filled: two pages that are the same RAM, or RAM that
 * forgets, are found.
 *
 * The work is done by children. One that is killed for want of memory is told
 * apart from everything else, and where an address space is smaller than the
 * memory each child fills a part; they verify only when all have filled theirs.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>

#include "fill.h"

#define PAGE		FILL_PAGE
#define WORDS		(PAGE / sizeof(uint64_t))
/* One word a cache line: what loses or mixes up memory does so by lines */
#define LINE		(64 / sizeof(uint64_t))
/* Starts of a part, so that the kernel may back it with huge pages */
#define HUGE		(2UL << 20)
/* What one 32-bit address space certainly has room for */
#define PART_PAGES	(sizeof(void *) > 4 ? UINT64_MAX : (1ULL << 30) / PAGE)
#define MOST_PARTS	64

struct part {
	pid_t child;
	int answers;
	uint64_t first_page;
	uint64_t pages;
};

static uint64_t page_seed(uint64_t page)
{
	page = (page + 1) * 0x9e3779b97f4a7c15ULL;
	page ^= page >> 29;
	page *= 0xbf58476d1ce4e5b9ULL;
	return page ^ (page >> 32);
}

static void fill_page(uint64_t *word, uint64_t page)
{
	uint64_t value = page_seed(page);
	unsigned long i;

	for (i = 0; i < WORDS; i += LINE)
		word[i] = value + i;
}

static int page_is_good(const uint64_t *word, uint64_t page)
{
	uint64_t value = page_seed(page);
	unsigned long i;

	for (i = 0; i < WORDS; i += LINE)
		if (word[i] != value + i)
			return 0;
	return 1;
}

/* The kernel shall end this process and not another when memory runs out */
static void volunteer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) != 4)
		perror("memfill: oom_score_adj");
	close(fd);
}

static uint64_t *map_pages(uint64_t pages)
{
	char *place = mmap(NULL, pages * PAGE + HUGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (place == MAP_FAILED)
		return NULL;
	return (uint64_t *)(((uintptr_t)place + HUGE - 1) & ~(HUGE - 1));
}

void fill_pages(void *place, uint64_t first, uint64_t pages)
{
	uint64_t *words = place, i;

	for (i = 0; i < pages; i++)
		fill_page(words + i * WORDS, first + i);
}

uint64_t count_bad_pages(const void *place, uint64_t first, uint64_t pages)
{
	const uint64_t *words = place;
	uint64_t bad = 0, i;

	for (i = 0; i < pages; i++)
		bad += !page_is_good(words + i * WORDS, first + i);
	return bad;
}

/* In a child: answers once when filled, and with the number of bad pages */
static int work(const struct part *part, int answers, int go)
{
	uint64_t *words = map_pages(part->pages);
	uint64_t bad = 0;
	char none;

	if (!words)
		return FILL_NO_MEMORY;
	volunteer();
	fill_pages(words, part->first_page, part->pages);
	if (write(answers, &bad, sizeof(bad)) != sizeof(bad))
		return FILL_BAD;
	while (read(go, &none, 1) < 0 && errno == EINTR)
		;
	bad = count_bad_pages(words, part->first_page, part->pages);
	if (write(answers, &bad, sizeof(bad)) != sizeof(bad))
		return FILL_BAD;
	return FILL_GOOD;
}

/* go: a pipe that nobody writes to; its end is what the children wait for */
static int start(struct part *part, const int go[2])
{
	int answers[2];

	if (pipe(answers))
		return -1;
	part->child = fork();
	if (part->child == 0) {
		close(answers[0]);
		close(go[1]);
		_exit(work(part, answers[1], go[0]));
	}
	close(answers[1]);
	part->answers = answers[0];
	if (part->child < 0) {
		close(answers[0]);
		return -1;
	}
	return 0;
}

static int start_all(struct part *parts, unsigned int count, const int go[2])
{
	unsigned int i;

	for (i = 0; i < count; i++)
		if (start(&parts[i], go))
			break;
	return i;
}

/* Adds up one answer of each child; -1 if one gives none */
static int hear_all(const struct part *parts, unsigned int count, uint64_t *sum)
{
	unsigned int i;
	uint64_t answer;
	ssize_t got;

	for (i = 0; i < count; i++) {
		do {
			got = read(parts[i].answers, &answer, sizeof(answer));
		} while (got < 0 && errno == EINTR);
		if (got != sizeof(answer))
			return -1;
		*sum += answer;
	}
	return 0;
}

/* The wait status of the child that fared worst; 0 when all ended well */
static int end_all(const struct part *parts, unsigned int count, int kill_them)
{
	int status, worst = 0;
	unsigned int i;

	for (i = 0; kill_them && i < count; i++)
		kill(parts[i].child, SIGTERM);
	for (i = 0; i < count; i++) {
		close(parts[i].answers);
		while (waitpid(parts[i].child, &status, 0) < 0)
			if (errno != EINTR)
				return FILL_BAD << 8;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)
			continue;
		if (status && !WIFSIGNALED(worst))
			worst = status;
	}
	return worst;
}

static int tell_failure(int status, char *text, size_t room)
{
	if (WIFSIGNALED(status)) {
		snprintf(text, room, "memfill: killed by signal %d%s",
			 WTERMSIG(status), WTERMSIG(status) == SIGKILL ?
			 ", not enough memory" : "");
		return WTERMSIG(status) == SIGKILL ? FILL_NO_MEMORY : FILL_BAD;
	}
	snprintf(text, room, "memfill: not enough memory");
	return FILL_NO_MEMORY;
}

/* Refuses at once what the machine does not have, in use or not */
static int is_possible(uint64_t bytes)
{
	struct sysinfo machine;

	if (sysinfo(&machine))
		return 1;
	return bytes / machine.mem_unit <=
	       (uint64_t)machine.totalram + machine.totalswap;
}

static unsigned int divide(uint64_t pages, struct part *parts)
{
	uint64_t first = 0, most = PART_PAGES;
	unsigned int count = 0;

	for (; first < pages && count < MOST_PARTS; count++) {
		parts[count].first_page = first;
		parts[count].pages = pages - first < most ?
				     pages - first : most;
		first += parts[count].pages;
	}
	return first < pages ? 0 : count;
}

int fill_and_verify(uint64_t bytes, char *text, size_t room)
{
	struct part parts[MOST_PARTS];
	uint64_t pages = bytes / PAGE + !!(bytes % PAGE);
	unsigned int count = divide(pages, parts), started;
	uint64_t bad = 0;
	int go[2], failed, status;

	if (!count || !is_possible(bytes) || pipe(go))
		return tell_failure(FILL_NO_MEMORY << 8, text, room);
	started = start_all(parts, count, go);
	failed = started < count || hear_all(parts, started, &bad);
	close(go[1]);
	failed = failed || hear_all(parts, started, &bad);
	status = end_all(parts, started, failed);
	close(go[0]);
	if (failed || status)
		return tell_failure(status, text, room);
	snprintf(text, room, "memfill: %llu bytes verified, %llu bad pages",
		 (unsigned long long)(pages * PAGE), (unsigned long long)bad);
	return bad ? FILL_BAD : FILL_GOOD;
}
