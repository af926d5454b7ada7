// SPDX-License-Identifier: GPL-2.0-only
/*
 * hambench: what common work costs the kernel, read from the time-stamp
 * counter. Under an emulator that counts instructions in it the costs are
 * instructions, the same each time.
 *
 *   hambench rows		all kinds of work, a line each
 *   hambench add START SIZE	has HAM's test build add memory
 *
 * A line is "row NAME UNITS COUNT...": each COUNT is what one batch of UNITS
 * pieces of work took; or "skip NAME WHY". For Linux 2.4 on i386.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ham.h"

#define PAGE		4096UL
#define BATCHES		5
#define FILES		"/mnt"		/* ramfs: page cache and nothing below */
#define SHARED		FILES "/shared"	/* tmpfs */
#define SELF		FILES "/hambench"
#define NOTHING		"nothing"	/* argument: exit at once */
#define LOG_LEVEL	8		/* klogctl() has numbers only */

#define LOOPS		1000
#define FEW_PAGES	64UL
#define MANY_PAGES	256UL
#define TOUCHED_PAGES	2048UL
#define PIPED		512

static char *area;		/* MANY_PAGES that a child writes to */
static char buffer[PAGE];
static int pipe_ends[2], from, to, shared;

static uint64_t now(void)
{
	uint64_t count;

	__asm__ volatile("rdtsc" : "=A" (count) : : "memory");
	return count;
}

static void fail(const char *what)
{
	fprintf(stderr, "hambench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *map(unsigned long pages, int flags, int file)
{
	char *place = mmap(NULL, pages * PAGE,
			   PROT_READ | (file < 0 ? PROT_WRITE : 0),
			   MAP_PRIVATE | flags, file, 0);

	if (place == MAP_FAILED)
		fail("mmap");
	return place;
}

static void touch(char *place, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		*(volatile char *)(place + i * PAGE) = 1;
}

static void look_at(const char *place, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		(void)*(const volatile char *)(place + i * PAGE);
}

/* fork() of a C library does more than the system call */
static void in_child(void (*work)(void))
{
	int status;
	pid_t child = syscall(SYS_fork);

	if (child == 0) {
		work();
		syscall(SYS_exit, 0);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		fail("fork");
}

/* The kinds of work: each does it once, and returns what it took. */

static uint64_t null_syscalls(void)
{
	uint64_t begin = now();
	int number, i;

	for (i = 0; i < LOOPS; i++) {
		number = SYS_getppid;
		__asm__ volatile("int $0x80" : "+a" (number) : : "memory");
	}
	return now() - begin;
}

static uint64_t empty_loops(void)
{
	uint64_t begin = now();
	int number, i;

	for (i = 0; i < LOOPS; i++) {
		number = SYS_getppid;
		__asm__ volatile("" : "+a" (number) : : "memory");
	}
	return now() - begin;
}

static void nothing(void)
{
}

static uint64_t fork_exit(void)
{
	uint64_t begin = now();

	in_child(nothing);
	return now() - begin;
}

static void become_nothing(void)
{
	static char *words[] = { SELF, NOTHING, NULL }, *none[] = { NULL };

	execve(SELF, words, none);
	syscall(SYS_exit, 1);
}

static uint64_t fork_exec(void)
{
	uint64_t begin = now();

	in_child(become_nothing);
	return now() - begin;
}

static uint64_t pipe_once(void)
{
	uint64_t begin = now();

	if (write(pipe_ends[1], buffer, PIPED) != PIPED ||
	    read(pipe_ends[0], buffer, PIPED) != PIPED)
		fail("pipe");
	return now() - begin;
}

static uint64_t map_touch_unmap(void)
{
	uint64_t begin = now();
	char *place = map(FEW_PAGES, MAP_ANONYMOUS, -1);

	touch(place, FEW_PAGES);
	munmap(place, FEW_PAGES * PAGE);
	return now() - begin;
}

static void write_area(void)
{
	touch(area, MANY_PAGES);
}

static uint64_t copy_on_write(void)
{
	uint64_t begin, took;

	area = map(MANY_PAGES, MAP_ANONYMOUS, -1);
	write_area();
	begin = now();
	in_child(write_area);
	took = now() - begin;
	munmap(area, MANY_PAGES * PAGE);
	return took;
}

static uint64_t copy_file(size_t size)
{
	uint64_t begin = now();
	size_t left;

	lseek(from, 0, SEEK_SET);
	lseek(to, 0, SEEK_SET);
	for (left = FEW_PAGES * PAGE; left; left -= size)
		if (read(from, buffer, size) != (ssize_t)size ||
		    write(to, buffer, size) != (ssize_t)size)
			fail("copy");
	return now() - begin;
}

static uint64_t copy_256(void)
{
	return copy_file(256);
}

static uint64_t copy_1024(void)
{
	return copy_file(1024);
}

static uint64_t copy_4096(void)
{
	return copy_file(4096);
}

static uint64_t map_file(void)
{
	char *place = map(MANY_PAGES, 0, from);
	uint64_t begin = now(), took;

	look_at(place, MANY_PAGES);
	took = now() - begin;
	munmap(place, MANY_PAGES * PAGE);
	return took;
}

static uint64_t touch_much(void)
{
	char *place = map(TOUCHED_PAGES, MAP_ANONYMOUS, -1);
	uint64_t begin = now(), took;

	touch(place, TOUCHED_PAGES);
	took = now() - begin;
	munmap(place, TOUCHED_PAGES * PAGE);
	return took;
}

static void write_pages(int file, unsigned long pages)
{
	lseek(file, 0, SEEK_SET);
	while (pages--)
		if (write(file, buffer, PAGE) != (ssize_t)PAGE)
			fail("write");
}

static uint64_t write_shared(void)
{
	uint64_t begin = now(), took;

	write_pages(shared, MANY_PAGES);
	took = now() - begin;
	if (ftruncate(shared, 0))
		fail("ftruncate");
	return took;
}

/* Each row, in the order of the report; repeat: times in a batch. */
static const struct row {
	const char *name;
	uint64_t (*work)(void);
	unsigned int repeat;
	unsigned int units;	/* pieces of work each time */
} rows[] = {
	{ "empty-loop", empty_loops, 1, LOOPS },
	{ "null-syscall", null_syscalls, 1, LOOPS },
	{ "fork-exit", fork_exit, 16, 1 },
	{ "fork-exec", fork_exec, 16, 1 },
	{ "pipe", pipe_once, 256, 1 },
	{ "map-touch-unmap", map_touch_unmap, 16, FEW_PAGES },
	{ "copy-on-write", copy_on_write, 4, 1 },
	{ "copy-256", copy_256, 1, FEW_PAGES * PAGE / 1024 },
	{ "copy-1024", copy_1024, 1, FEW_PAGES * PAGE / 1024 },
	{ "copy-4096", copy_4096, 1, FEW_PAGES * PAGE / 1024 },
	{ "file-map-fault", map_file, 4, MANY_PAGES },
	{ "anonymous-touch", touch_much, 1, TOUCHED_PAGES },
	{ "tmpfs-write", write_shared, 1, MANY_PAGES },
};

static void run_row(const struct row *row)
{
	uint64_t counts[BATCHES];
	unsigned int batch, i;

	for (i = 0; i < row->repeat; i++)
		row->work();
	for (batch = 0; batch < BATCHES; batch++) {
		counts[batch] = 0;
		for (i = 0; i < row->repeat; i++)
			counts[batch] += row->work();
	}
	printf("row %s %u", row->name, row->repeat * row->units);
	for (batch = 0; batch < BATCHES; batch++)
		printf(" %llu", (unsigned long long)counts[batch]);
	printf("\n");
}

static int new_file(const char *path)
{
	int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0700);

	if (file < 0)
		fail(path);
	return file;
}

/* Where new memory goes first: a program and files of its own making */
static void copy_self(void)
{
	int in = open("/proc/self/exe", O_RDONLY), out = new_file(SELF);
	ssize_t got;

	if (in < 0)
		fail("/proc/self/exe");
	while ((got = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, got) != got)
			fail(SELF);
	close(in);
	close(out);
}

static void prepare(void)
{
	if (mount("files", FILES, "ramfs", 0, NULL))
		fail("ramfs");
	copy_self();
	from = new_file(FILES "/from");
	to = new_file(FILES "/to");
	write_pages(from, MANY_PAGES);
	write_pages(to, MANY_PAGES);
	if (pipe(pipe_ends))
		fail("pipe");
	mkdir(SHARED, 0700);
	shared = mount("shared", SHARED, "tmpfs", 0, NULL) ? -1 :
		 new_file(SHARED "/file");
}

static int do_rows(void)
{
	size_t i;

	prepare();
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].work == write_shared && shared < 0)
			printf("skip %s this kernel has no tmpfs\n",
			       rows[i].name);
		else
			run_row(&rows[i]);
	return 0;
}

/* A line on a serial console would cost more than the memory */
static int do_add(const char *start, const char *size)
{
	struct ham_add request;
	uint64_t begin, took;
	int device = open("/dev/ham", O_RDWR), failed;

	if (device < 0)
		fail("/dev/ham");
	memset(&request, 0, sizeof(request));
	request.head.version = HAM_ABI_VERSION;
	request.head.size = sizeof(request);
	request.start = strtoull(start, NULL, 0);
	request.size = strtoull(size, NULL, 0);
	request.attr = HAM_ATTR_RW;
	klogctl(LOG_LEVEL, NULL, 1);
	begin = now();
	failed = ioctl(device, HAM_IOC_ADD, &request);
	took = now() - begin;
	if (failed)
		fail("adding memory");
	printf("row add %llu %llu\n", (unsigned long long)request.size,
	       (unsigned long long)took);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], NOTHING))
		return 0;
	if (argc == 2 && !strcmp(argv[1], "rows"))
		return do_rows();
	if (argc == 4 && !strcmp(argv[1], "add"))
		return do_add(argv[2], argv[3]);
	fputs("usage: hambench rows | hambench add START SIZE\n", stderr);
	return 2;
}
