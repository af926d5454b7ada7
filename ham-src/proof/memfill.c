// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfill SIZE: uses that much memory and checks that it is memory.
 *
 * Fills every page with words made from the page's number, and verifies all
 * pages only when all are filled: two pages that are the same RAM, or RAM that
 * forgets, are found. The work is done by a child, so that being killed for
 * want of memory is told apart from everything else.
 *
 * Exit status: 0 verified, 1 bad pages, 2 not enough memory, 3 usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE		4096UL
#define WORDS		(PAGE / sizeof(uint64_t))
/* One word a cache line: what loses or mixes up memory does so by lines */
#define LINE		(64 / sizeof(uint64_t))
#define CHUNK		(16UL << 20)
#define PAGES		(CHUNK / PAGE)

#define EXIT_BAD	1
#define EXIT_NO_MEMORY	2
#define EXIT_USAGE	3

struct chunk {
	struct chunk *next;
	uint64_t *words;
	uint64_t first_page;
	unsigned long pages;
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

static void out_of_memory(void)
{
	fputs("memfill: not enough memory\n", stderr);
	exit(EXIT_NO_MEMORY);
}

static struct chunk *fill_chunk(uint64_t first_page, unsigned long pages)
{
	struct chunk *chunk = malloc(sizeof(*chunk));
	unsigned long i;

	if (!chunk)
		out_of_memory();
	chunk->words = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (chunk->words == MAP_FAILED)
		out_of_memory();
	chunk->first_page = first_page;
	chunk->pages = pages;
	for (i = 0; i < pages; i++)
		fill_page(chunk->words + i * WORDS, first_page + i);
	return chunk;
}

static uint64_t count_bad(const struct chunk *chunk)
{
	uint64_t bad = 0;
	unsigned long i;

	for (; chunk; chunk = chunk->next)
		for (i = 0; i < chunk->pages; i++)
			bad += !page_is_good(chunk->words + i * WORDS,
					     chunk->first_page + i);
	return bad;
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

/* Refuses at once what no overcommitting kernel would ever provide */
static void check_possible(uint64_t bytes)
{
	void *all = MAP_FAILED;

	if (bytes <= SIZE_MAX)
		all = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED)
		out_of_memory();
	munmap(all, bytes);
}

static int fill_and_verify(uint64_t size)
{
	struct chunk *all = NULL, *chunk;
	uint64_t total = (size + PAGE - 1) / PAGE;
	uint64_t done = 0, bad;
	unsigned long pages;

	check_possible(total * PAGE);
	volunteer();
	while (done < total) {
		pages = total - done < PAGES ? total - done : PAGES;
		chunk = fill_chunk(done, pages);
		chunk->next = all;
		all = chunk;
		done += pages;
	}
	bad = count_bad(all);
	printf("memfill: %llu bytes verified, %llu bad pages\n",
	       (unsigned long long)(total * PAGE), (unsigned long long)bad);
	fflush(stdout);
	return bad ? EXIT_BAD : 0;
}

/* Bytes, decimal or 0x..., with suffix K, M or G; 0 is an error */
static uint64_t parse_size(const char *text)
{
	static const char suffixes[] = "KMG";
	unsigned long long value;
	const char *suffix;
	unsigned int shift;
	char *end;

	if (*text < '0' || *text > '9')
		return 0;
	errno = 0;
	value = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return 0;
	suffix = *end ? strchr(suffixes, *end) : NULL;
	shift = suffix ? 10 * (suffix - suffixes + 1) : 0;
	if (end[suffix ? 1 : 0] || value > (UINT64_MAX - PAGE) >> shift)
		return 0;
	return (uint64_t)value << shift;
}

int main(int argc, char **argv)
{
	uint64_t size = argc == 2 ? parse_size(argv[1]) : 0;
	int status;
	pid_t child;

	if (!size) {
		fputs("usage: memfill SIZE (bytes, or with K, M or G)\n",
		      stderr);
		return EXIT_USAGE;
	}
	child = fork();
	if (child == 0)
		exit(fill_and_verify(size));
	if (child < 0)
		out_of_memory();
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_BAD;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	fprintf(stderr, "memfill: killed by signal %d, not enough memory\n",
		WTERMSIG(status));
	return WTERMSIG(status) == SIGKILL ? EXIT_NO_MEMORY : EXIT_BAD;
}
