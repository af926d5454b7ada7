// SPDX-License-Identifier: GPL-2.0-only
/*
 * The report on the second serial port. Each step is framed, and each file in
 * it: "@@ham begin N", "@@ham file NAME", its lines, "@@ham end", "@@ham rc N",
 * "@@ham finish N"; "@@ham done" last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/klog.h>

#include "haminit.h"

/* klogctl() has numbers only */
#define LOG_READ_CLEAR	4
#define LOG_CLEAR	5
#define LOG_BYTES	(1UL << 20)

static int port = -1;

static void write_all(const char *data, size_t count)
{
	ssize_t done;

	for (; count; data += done, count -= done) {
		done = write(port, data, count);
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0)
			die(REPORT_PORT ": %s", strerror(errno));
	}
}

/* Raw: nothing is added to what is written, nor echoed of what is read */
void report_open(void)
{
	struct termios how;

	port = open(REPORT_PORT, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (port < 0 || tcgetattr(port, &how))
		die("there is no second serial port: %s", strerror(errno));
	cfmakeraw(&how);
	cfsetspeed(&how, B115200);
	how.c_cflag |= CLOCAL | CREAD;
	tcsetattr(port, TCSANOW, &how);
	fcntl(port, F_SETFL, 0);
}

void clear_kernel_log(void)
{
	klogctl(LOG_CLEAR, NULL, 0);
}

/* What the kernel said since it was last asked, without its levels */
static void add_kernel_log(struct text *report)
{
	char *log = malloc(LOG_BYTES), *line, *end;
	int length = log ? klogctl(LOG_READ_CLEAR, log, LOG_BYTES - 1) : 0;

	if (length > 0) {
		log[length] = '\0';
		for (line = log; *line; line = end + (*end == '\n')) {
			end = line + strcspn(line, "\n");
			if (line[0] == '<' && strchr("01234567", line[1]) &&
			    line[2] == '>')
				line += 3;
			text_bytes(report, line, end - line);
			text_bytes(report, "\n", 1);
		}
	}
	free(log);
}

static void add_value(struct text *report, const char *name, const char *path)
{
	text_add(report, "%s ", name);
	if (text_file(report, path))
		text_add(report, "%s", strerror(errno));
	text_end_line(report);
}

/* The memory blocks: their size, what becomes of a new one, and their states */
static void add_blocks(struct text *report)
{
	DIR *folder = opendir(MEMORY);
	char path[sizeof(MEMORY) + 280] = MEMORY "/";
	struct dirent *entry;

	if (!folder || access(MEMORY "/auto_online_blocks", F_OK))
		die("this kernel has no memory hot-plug");
	add_value(report, "size", MEMORY "/block_size_bytes");
	add_value(report, "policy", MEMORY "/auto_online_blocks");
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, "memory", 6))
			continue;
		strcpy(path + sizeof(MEMORY), entry->d_name);
		strcat(path, "/state");
		add_value(report, entry->d_name, path);
	}
	closedir(folder);
}

static void add_file(struct text *report, const char *name,
		     const struct text *output)
{
	text_add(report, "@@ham file %s\n", name);
	if (!strcmp(name, "dmesg"))
		add_kernel_log(report);
	else if (!strcmp(name, "blocks"))
		add_blocks(report);
	else if (!strcmp(name, "output"))
		text_bytes(report, output->data, output->length);
	else
		text_file(report, name);	/* not there: it is empty */
	text_end_line(report);
	text_add(report, "@@ham end\n");
}

/* A host that asked for it does what it likes now; then it sends a line */
void report_ask(unsigned int number, struct text *answer)
{
	struct text mark = { NULL, 0, 0 };
	ssize_t got;
	char byte;

	text_add(&mark, "@@ham pause %u\n", number);
	write_all(mark.data, mark.length);
	tcdrain(port);
	text_free(&mark);
	for (;;) {
		got = read(port, &byte, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got != 1)
			die("nobody ended the pause after step %u", number);
		if (byte == '\n')
			break;
		text_bytes(answer, &byte, 1);
	}
}

static void pause_step(unsigned int number)
{
	struct text answer = { NULL, 0, 0 };

	report_ask(number, &answer);
	text_free(&answer);
}

void report_step(const struct plan *plan, unsigned int number, int result,
		 struct text *output)
{
	static struct text report;
	size_t i;

	text_bytes(output, "", 0);
	text_clear(&report);
	text_add(&report, "@@ham begin %u\n", number);
	for (i = 0; i < plan->count; i++) {
		const struct line *line = &plan->lines[i];

		if (!strcmp(line->word[0], "report") ||
		    (!number && !strcmp(line->word[0], "report-once")))
			add_file(&report, line->word[1], output);
	}
	text_add(&report, "@@ham rc %d\n@@ham finish %u\n", result, number);
	write_all(report.data, report.length);
	tcdrain(port);		/* or its interrupts fall into the next step */
	if (plan_find(plan, "pause", NULL))
		pause_step(number);
}

void report_done(void)
{
	static const char mark[] = "@@ham done\n";

	write_all(mark, sizeof(mark) - 1);
	tcdrain(port);
	close(port);
}
