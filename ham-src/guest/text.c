// SPDX-License-Identifier: GPL-2.0-only
/* Text that grows, files of it, and the plan that comes as one. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "haminit.h"

#define FIRST_ROOM	4096

static void make_room(struct text *text, size_t more)
{
	size_t room = text->room ? text->room : FIRST_ROOM;
	char *data;

	while (room - text->length <= more)
		room *= 2;
	if (room == text->room)
		return;
	data = realloc(text->data, room);
	if (!data)
		die("no memory for %lu bytes of text", (unsigned long)room);
	text->data = data;
	text->room = room;
}

void text_bytes(struct text *text, const char *bytes, size_t count)
{
	make_room(text, count);
	memcpy(text->data + text->length, bytes, count);
	text->length += count;
	text->data[text->length] = '\0';
}

void text_add(struct text *text, const char *format, ...)
{
	char line[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (length >= (int)sizeof(line))
		length = sizeof(line) - 1;
	if (length > 0)
		text_bytes(text, line, length);
}

int text_file(struct text *text, const char *path)
{
	char part[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	while ((got = read(fd, part, sizeof(part))) > 0)
		text_bytes(text, part, got);
	close(fd);
	return got < 0 ? -1 : 0;
}

void text_end_line(struct text *text)
{
	if (text->length && text->data[text->length - 1] != '\n')
		text_bytes(text, "\n", 1);
}

void text_clear(struct text *text)
{
	text->length = 0;
	if (text->data)
		text->data[0] = '\0';
}

void text_free(struct text *text)
{
	free(text->data);
	memset(text, 0, sizeof(*text));
}

int read_number(const char *text, uint64_t *number)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*number = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	return errno || *end ? -1 : 0;
}

/* What a line of the plan may begin with, and how many words it has then */
static const struct {
	const char *kind;
	unsigned int least, most;
} kinds[] = {
	{ "module", 3, 3 },
	{ "program", 3, 3 },
	{ "report", 2, 2 },
	{ "report-once", 2, 2 },
	{ "pause", 1, 1 },
	{ "reboot", 1, 1 },
	{ "load", 2, MOST_WORDS },
	{ "serve", 1, 1 },
	{ "step", 3, MOST_WORDS },
};

static const char *check_line(const struct line *line)
{
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(line->word[0], kinds[i].kind))
			continue;
		if (line->count < kinds[i].least || line->count > kinds[i].most)
			return "wrong number of words";
		return NULL;
	}
	return "unknown kind of line";
}

const char *cut_line(struct line *line, char *text)
{
	char *tab;

	for (line->count = 0; line->count < MOST_WORDS; text = tab + 1) {
		line->word[line->count++] = text;
		tab = strchr(text, '\t');
		if (!tab) {
			line->word[line->count] = NULL;
			return check_line(line);
		}
		*tab = '\0';
	}
	return "too many words";
}

static const char *add_line(struct plan *plan, unsigned int number, char *text)
{
	struct line *lines;

	if (!*text || *text == '#')
		return NULL;
	lines = realloc(plan->lines, (plan->count + 1) * sizeof(*lines));
	if (!lines)
		return "out of memory";
	plan->lines = lines;
	lines[plan->count].number = number;
	return cut_line(&lines[plan->count++], text);
}

const char *plan_read(struct plan *plan, const char *path)
{
	static char complaint[128];
	struct text text = { NULL, 0, 0 };
	const char *wrong = NULL;
	unsigned int number = 1;
	char *at, *end;

	if (text_file(&text, path) || !text.length)
		return "cannot be read, or is empty";
	/* The text stays: the lines point into it */
	for (at = text.data; !wrong && *at; at = end + 1, number++) {
		end = strchr(at, '\n');
		if (!end)
			return "its last line has no end";
		*end = '\0';
		wrong = add_line(plan, number, at);
	}
	if (!wrong)
		return NULL;
	snprintf(complaint, sizeof(complaint), "line %u: %s", number - 1, wrong);
	return complaint;
}

const struct line *plan_find(const struct plan *plan, const char *kind,
			     const char *name)
{
	size_t i;

	for (i = 0; i < plan->count; i++) {
		const struct line *line = &plan->lines[i];

		if (!strcmp(line->word[0], kind) &&
		    (!name || (line->count > 1 &&
			       !strcmp(line->word[1], name))))
			return line;
	}
	return NULL;
}
