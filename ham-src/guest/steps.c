// SPDX-License-Identifier: GPL-2.0-only
/* The kinds of steps that a plan can have. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

#include "../proof/fill.h"
#include "haminit.h"

#define HUGE_PAGES	"/sys/kernel/mm/transparent_hugepage/enabled"
#define RESULTS		"/sys/module/mhp_sim/parameters/results"
#define FAIL_NEXT	"/sys/module/ham/parameters/fail_next"
/* Where modules have no parameters that can be written */
#define OLD_FAIL_NEXT	"/proc/ham/fail_next"
#define FAIL_NEXT_24	"/proc/ham/fail_next"	/* Linux 2.4 has no sysfs */
#define POLICY		MEMORY "/auto_online_blocks"
/* A program that says more is cut short: the report is to stay readable */
#define MOST_OUTPUT	(256UL << 10)
#define EXIT_NO_PROGRAM	127
#define EXIT_SIGNALLED	128

static int write_file(const char *path, const char *content,
		      struct text *output)
{
	size_t length = strlen(content);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int good = fd >= 0 && write(fd, content, length) == (ssize_t)length;

	if (!good)
		text_add(output, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return !good;
}

/* Whether a file is there and its first line is this one */
static int says(const char *path, const char *line)
{
	struct text text = { NULL, 0, 0 };
	int found;

	text_file(&text, path);
	text_end_line(&text);
	found = text.length > strlen(line) && text.data[strlen(line)] == '\n' &&
		!strncmp(text.data, line, strlen(line));
	text_free(&text);
	return found;
}

static void hear(int fd, struct text *output)
{
	size_t begin = output->length, dropped = 0;
	char part[4096];
	ssize_t got;

	while ((got = read(fd, part, sizeof(part))) != 0) {
		if (got < 0 && errno != EINTR)
			break;
		if (got > 0 && output->length - begin + got <= MOST_OUTPUT)
			text_bytes(output, part, got);
		else if (got > 0)
			dropped += got;
	}
	text_end_line(output);
	if (dropped)
		text_add(output, "(%lu more bytes)\n", (unsigned long)dropped);
}

static void become(const char *path, char *const *words, int out)
{
	static char search_path[] =
		"PATH=/bin:/sbin:/usr/bin:/usr/sbin:/usr/libexec/ham";
	static char *const environment[] = { search_path, NULL };
	char *all[MOST_WORDS + 2];
	unsigned int count = 0;

	dup2(out, 1);
	dup2(out, 2);
	all[count++] = (char *)path;
	while (*words && count < MOST_WORDS)
		all[count++] = *words++;
	all[count] = NULL;
	execve(path, all, environment);
	_exit(EXIT_NO_PROGRAM);
}

static int exit_status(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
	       EXIT_SIGNALLED + WTERMSIG(status);
}

int run_program(const struct plan *plan, const char *name, char *const *words,
		struct text *output)
{
	const struct line *program = plan_find(plan, "program", name);
	int ends[2], status;
	pid_t child;

	if (!program) {
		text_add(output, "the plan does not say where %s is\n", name);
		return EXIT_NO_PROGRAM;
	}
	if (pipe(ends)) {
		text_add(output, "pipe: %s\n", strerror(errno));
		return 1;
	}
	child = fork();
	if (child == 0) {
		close(ends[0]);
		become(program->word[2], words, ends[1]);
	}
	close(ends[1]);
	if (child > 0)
		hear(ends[0], output);
	else
		text_add(output, "fork: %s\n", strerror(errno));
	close(ends[0]);
	status = child > 0 ? exit_status(child) : 1;
	if (status == EXIT_NO_PROGRAM || status > EXIT_SIGNALLED)
		text_add(output, "%s: exit status %d\n", program->word[2], status);
	return status;
}

static int hamctl(const struct plan *plan, struct text *output, char *first,
		  char *second, char *third)
{
	char *words[] = { first, second, third, NULL };

	return run_program(plan, "hamctl", words, output);
}

static int some_are_present(void)
{
	struct text status = { NULL, 0, 0 };
	int some;

	text_file(&status, STATUS_FILE);
	some = status.length && strstr(status.data, " PRESENT\n");
	text_free(&status);
	return some;
}

/* Where new blocks are left offline, a rule of udev would bring them online */
static int online(const struct plan *plan, struct text *output)
{
	int result;

	if (!says(POLICY, "offline"))
		return 0;
	result = hamctl(plan, output, "online", NULL, NULL);
	if (!result && some_are_present())
		result = hamctl(plan, output, "wait-enabled", "--timeout", "10");
	return result;
}

/* START SIZE ATTRIBUTE: mhp_sim reports ranges each time it is loaded */
static int do_add(const struct plan *plan, char *const *words,
		  struct text *output)
{
	struct text ranges = { NULL, 0, 0 };
	char *parameters[2] = { NULL, NULL };
	int result;

	if (module_is_loaded("mhp_sim") && unload_module("mhp_sim", output))
		return 1;
	text_add(&ranges, "ranges=%s+%s:%s", words[0], words[1], words[2]);
	parameters[0] = ranges.data;
	result = load_module(plan, "mhp_sim", parameters, output);
	text_free(&ranges);
	if (!result && says(RESULTS, "0"))
		result = online(plan, output);
	return result;
}

/*
 * SIZE. A kernel that booted with little memory has turned huge pages off; with
 * them, filling memory under emulation takes a fifth of the time.
 */
static int do_use(const struct plan *plan, char *const *words,
		  struct text *output)
{
	char text[128];
	uint64_t size;
	int result;

	(void)plan;
	if (read_number(words[0], &size)) {
		text_add(output, "not a size: %s\n", words[0]);
		return 1;
	}
	if (!access(HUGE_PAGES, F_OK))
		write_file(HUGE_PAGES, "always", output);
	result = fill_and_verify(size, text, sizeof(text));
	text_add(output, "%s\n", text);
	return result;
}

static int do_retry(const struct plan *plan, char *const *words,
		    struct text *output)
{
	int retried = hamctl(plan, output, "retry", NULL, NULL);
	int result = online(plan, output);

	(void)words;
	return result ? result : retried;
}

/* COUNT: only a test build of HAM has the parameter, or the file */
static int do_fault(const struct plan *plan, char *const *words,
		    struct text *output)
{
	(void)plan;
	return write_file(access(FAIL_NEXT_24, F_OK) ? FAIL_NEXT : FAIL_NEXT_24,
			  words[0], output);
}

/* NAME ARGUMENT... */
static int do_run(const struct plan *plan, char *const *words,
		  struct text *output)
{
	return run_program(plan, words[0], words + 1, output);
}

/* NAME PARAMETER... */
static int do_load(const struct plan *plan, char *const *words,
		   struct text *output)
{
	return load_module(plan, words[0], words + 1, output);
}

/* NAME */
static int do_unload(const struct plan *plan, char *const *words,
		     struct text *output)
{
	(void)plan;
	return unload_module(words[0], output);
}

static const struct {
	const char *name;
	unsigned int least;	/* arguments */
	int (*perform)(const struct plan *plan, char *const *words,
		       struct text *output);
} kinds[] = {
	{ "add", 3, do_add },
	{ "use", 1, do_use },
	{ "retry", 0, do_retry },
	{ "fault", 1, do_fault },
	{ "run", 1, do_run },
	{ "load", 1, do_load },
	{ "unload", 1, do_unload },
};

int do_step(const struct plan *plan, const struct line *line,
	    struct text *output)
{
	char *const *words = line->word + 3;
	unsigned int count = line->count - 3;
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(line->word[2], kinds[i].name) &&
		    count >= kinds[i].least)
			return kinds[i].perform(plan, words, output);
	die("%s, line %u: no such step, or too few words", PLAN, line->number);
}
