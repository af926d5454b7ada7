/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * haminit: the first process of the guest in which HAM is proven. One program
 * for kernels from 2.4 on; see README.md for the plan that it follows.
 */
#ifndef HAM_INIT_H
#define HAM_INIT_H

#include <stddef.h>
#include <stdint.h>

#define PLAN		"/plan"
#define REPORT_PORT	"/dev/ttyS1"
#define STATUS_FILE	"/proc/ham/status"
#define MEMORY		"/sys/devices/system/memory"
#define MOST_WORDS	20

/* Text that grows; data ends with a NUL that length does not count */
struct text {
	char *data;
	size_t length;
	size_t room;
};

void text_bytes(struct text *text, const char *bytes, size_t count);
void text_add(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Appends a file's content; -1 and errno when it cannot be read */
int text_file(struct text *text, const char *path);
/* Ends the last line, if there is one that has no end */
void text_end_line(struct text *text);
void text_clear(struct text *text);
void text_free(struct text *text);

/* One line of the plan, cut at its tabs */
struct line {
	unsigned int number;
	unsigned int count;
	char *word[MOST_WORDS + 1];	/* the one after the last is NULL */
};

struct plan {
	struct line *lines;
	size_t count;
};

/* Both return what is wrong, or NULL. The text stays: words point into it */
const char *cut_line(struct line *line, char *text);
const char *plan_read(struct plan *plan, const char *path);
/* The line "KIND NAME ..."; any of that kind without a name */
const struct line *plan_find(const struct plan *plan, const char *kind,
			     const char *name);

/* A number as the plan has it: decimal, or hexadecimal with 0x */
int read_number(const char *text, uint64_t *number);

/* Says it on the console, and in the kernel's log where that can be done */
void milestone(const char *format, ...) __attribute__((format(printf, 1, 2)));
void die(const char *format, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* Runs a program to its end; its output is added to that of the step */
int run_program(const struct plan *plan, const char *name, char *const *words,
		struct text *output);

int load_module(const struct plan *plan, const char *name, char *const *words,
		struct text *output);
int unload_module(const char *name, struct text *output);
int module_is_loaded(const char *name);
int modprobe(int argc, char **argv);

/* The step's exit status; what it has to say goes to output */
int do_step(const struct plan *plan, const struct line *line,
	    struct text *output);

void report_open(void);
void report_step(const struct plan *plan, unsigned int number, int result,
		 struct text *output);
/* Tells the host that nothing moves, and waits for a line; it has no newline */
void report_ask(unsigned int number, struct text *answer);
void report_done(void);
void clear_kernel_log(void);

#endif
