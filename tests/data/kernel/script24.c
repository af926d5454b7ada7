/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The init of a test's guest that obeys /script, one command a line:
 *
 *	PROGRAM [WORD...] [&]	runs it, and waits for it unless told not to
 *	cat FILE		shows a file; cat FILE N reads it N bytes at a time
 *	put FILE WORD		writes a word and a newline to a file
 *	sleep SECONDS
 *	wait			for all that was left running
 *	until SECONDS FILE WORD	until a file has the word in it, or time is up
 *
 * Tells the second serial port each command after "$ ", what it prints, its
 * exit status if that is not 0, and what the kernel logged meanwhile. On the
 * console the kernel's lines may fall into the middle of another's. Files on
 * the CD cannot be changed; /dev and /tmp are in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MOST_WORDS	40
#define LOG_READ_CLEAR	4	/* klogctl() has numbers only */
#define LOG_CLEAR	5
#define PORT		"/dev/ttyS1"

static int show(const char *path, size_t bytes)
{
	char text[8192];
	ssize_t count;
	int file = open(path, O_RDONLY);

	if (file < 0)
		return errno;
	while ((count = read(file, text, bytes)) > 0)
		fwrite(text, 1, count, stdout);
	close(file);
	return count < 0 ? errno : 0;
}

static int put(const char *path, const char *word)
{
	int file = open(path, O_WRONLY);
	char text[256];
	int length = snprintf(text, sizeof(text), "%s\n", word);
	int error = file < 0 || write(file, text, length) != length ? errno : 0;

	close(file);
	return error;
}

static int until(int seconds, const char *path, const char *word)
{
	char text[65536];
	ssize_t count, all;
	int file, tenths;

	for (tenths = 0; tenths <= seconds * 10; tenths++) {
		all = 0;
		file = open(path, O_RDONLY);
		while (file >= 0 && (count = read(file, text + all, sizeof(text) - 1 - all)) > 0)
			all += count;
		close(file);
		text[all] = '\0';
		if (strstr(text, word)) {
			printf("after %d.%d s\n", tenths / 10, tenths % 10);
			return 0;
		}
		usleep(100000);
	}
	return ETIMEDOUT;
}

static int start(char **words, int wait)
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		execvp(words[0], words);
		fprintf(stderr, "%s: %s\n", words[0], strerror(errno));
		_exit(127);
	}
	if (!wait)
		return 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int obey(char **words, int count)
{
	if (!strcmp(words[0], "cat"))
		return show(words[1], count > 2 ? atoi(words[2]) : 8192);
	if (!strcmp(words[0], "put"))
		return put(words[1], words[2]);
	if (!strcmp(words[0], "sleep"))
		return sleep(atoi(words[1]));
	if (!strcmp(words[0], "until"))
		return until(atoi(words[1]), words[2], words[3]);
	if (!strcmp(words[0], "wait")) {
		while (wait(NULL) > 0)
			;
		return 0;
	}
	if (!strcmp(words[count - 1], "&")) {
		words[count - 1] = NULL;
		return start(words, 0);
	}
	return start(words, 1);
}

/* What the kernel logged since the last command, without its levels */
static void show_log(void)
{
	static char log[1 << 16];
	int length = klogctl(LOG_READ_CLEAR, log, sizeof(log) - 1);
	char *line;

	log[length > 0 ? length : 0] = '\0';
	for (line = strtok(log, "\n"); line; line = strtok(NULL, "\n"))
		puts(line[0] == '<' && line[1] && line[2] == '>' ? line + 3 : line);
}

/* All that is said goes to the port, as it is */
static void open_port(void)
{
	struct termios how;
	int port = open(PORT, O_RDWR | O_NOCTTY | O_NONBLOCK);

	if (port < 0 || tcgetattr(port, &how))
		return;
	cfmakeraw(&how);
	cfsetspeed(&how, B115200);
	how.c_cflag |= CLOCAL | CREAD;
	tcsetattr(port, TCSANOW, &how);
	fcntl(port, F_SETFL, 0);
	dup2(port, 1);
	dup2(port, 2);
}

static void obey_line(char *line)
{
	char *words[MOST_WORDS + 1], *word;
	int count = 0, status;

	printf("$ %s", line);
	fflush(stdout);
	for (word = strtok(line, " \n"); word && count < MOST_WORDS; word = strtok(NULL, " \n"))
		words[count++] = word;
	words[count] = NULL;
	if (!count)
		return;
	status = obey(words, count);
	if (status)
		printf("[status %d]\n", status);
	show_log();
	fflush(stdout);
}

int main(void)
{
	static const struct { const char *name; int major, minor; } nodes[] = {
		{ "/dev/console", 5, 1 }, { "/dev/null", 1, 3 }, { "/dev/kmsg", 1, 11 },
		{ PORT, 4, 65 },
	};
	char line[1024];
	FILE *script;
	size_t i;
	int console;

	mount("none", "/dev", "ramfs", 0, NULL);
	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		mknod(nodes[i].name, S_IFCHR | 0600, makedev(nodes[i].major, nodes[i].minor));
	console = open("/dev/console", O_RDWR);
	dup2(console, 0);
	dup2(console, 1);
	dup2(console, 2);
	mount("none", "/proc", "proc", 0, NULL);
	mount("none", "/tmp", "ramfs", 0, NULL);
	setenv("PATH", "/sbin:/bin", 1);
	open_port();
	klogctl(LOG_CLEAR, NULL, 0);	/* the console has it */
	printf("hamkit: init\n");
	script = fopen("/script", "r");
	while (script && fgets(line, sizeof(line), script))
		obey_line(line);
	printf("hamkit: done\n");
	fflush(stdout);
	tcdrain(1); /* the serial port may still be sending */
	reboot(RB_AUTOBOOT);
	return 1;
}
