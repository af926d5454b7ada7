// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first process: makes the filesystems that it needs, follows the plan, and
 * ends the machine. First serial port: the kernel's console, with our
 * milestones in it. Second one: the report.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "haminit.h"

static struct plan plan;

/* So that no file of ours gets the number of a standard one */
static void occupy_standard_files(const char *path)
{
	int fd;

	do {
		fd = open(path, O_RDWR);
		if (fd < 0)
			fd = open("/", O_RDONLY);
	} while (fd >= 0 && fd < 3);
	if (fd > 2)
		close(fd);
}

/*
 * Through the kernel's log, so that a milestone never mixes with a kernel line;
 * level 3 passes a quiet console. Older kernels take nothing into their log.
 */
static void say(const char *words)
{
	char line[600];
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	int to_log = fd >= 0;

	if (!to_log)
		fd = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return;
	snprintf(line, sizeof(line), "%shamkit: %s\n", to_log ? "<3>" : "",
		 words);
	if (write(fd, line, strlen(line)) > 0 && !to_log)
		tcdrain(fd);
	close(fd);
}

void milestone(const char *format, ...)
{
	char words[512];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	say(words);
}

/* Not every kernel can switch a machine off; QEMU ends on a reset too */
static void end_machine(void)
{
	reboot(plan_find(&plan, "reboot", NULL) ? RB_AUTOBOOT : RB_POWER_OFF);
	for (;;)
		pause();
}

void die(const char *format, ...)
{
	char words[512];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	milestone("error: %s", words);
	if (getpid() != 1)
		_exit(1);
	end_machine();
	__builtin_unreachable();
}

static void make_nodes(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} nodes[] = {
		{ "/dev/console", 5, 1 },
		{ "/dev/kmem", 1, 2 },
		{ "/dev/mem", 1, 1 },
		{ "/dev/null", 1, 3 },
		{ "/dev/ttyS0", 4, 64 },
		{ "/dev/ttyS1", 4, 65 },
		{ "/dev/zero", 1, 5 },
	};
	size_t i;

	for (i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		mknod(nodes[i].path, S_IFCHR | 0600,
		      makedev(nodes[i].major, nodes[i].minor));
}

/* Newer kernels make devices themselves; elsewhere memory will do for /dev */
static void prepare(void)
{
	int no_devices = 0;

	/* 2.4.0 starts with it ignored: nothing would be left to wait for */
	signal(SIGCHLD, SIG_DFL);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL)) {
		no_devices = mount("dev", "/dev", "ramfs", 0, NULL);
		make_nodes();
	}
	occupy_standard_files("/dev/console");
	if (no_devices)
		die("cannot mount /dev: %s", strerror(errno));
	if (mount("proc", "/proc", "proc", 0, NULL))
		die("cannot mount /proc: %s", strerror(errno));
	/* A kernel without it has no memory blocks to report either */
	if (mount("sys", "/sys", "sysfs", 0, NULL) && errno != ENODEV &&
	    errno != ENOENT)
		die("cannot mount /sys: %s", strerror(errno));
}

static unsigned int count_steps(void)
{
	unsigned int steps = 0;
	size_t i;

	for (i = 0; i < plan.count; i++)
		steps += !strcmp(plan.lines[i].word[0], "step");
	return steps;
}

static void carry_out(const struct line *line, unsigned int *number,
		      unsigned int steps)
{
	struct text output = { NULL, 0, 0 };
	int result;

	++*number;
	milestone("step %u/%u: %s", *number, steps, line->word[1]);
	result = do_step(&plan, line, &output);
	report_step(&plan, *number, result, &output);
	text_free(&output);
}

static void load(const struct line *line)
{
	struct text output = { NULL, 0, 0 };

	if (load_module(&plan, line->word[1], line->word + 2, &output))
		die("%s cannot be loaded: %s", line->word[1],
		    output.length ? output.data : "no reason given");
	text_free(&output);
}

/* Steps that the host thinks of as it goes, until it sends an empty line */
static void serve(unsigned int *number)
{
	struct text asked = { NULL, 0, 0 };
	struct line line = { 0, 0, { NULL } };
	const char *wrong;

	for (;;) {
		text_clear(&asked);
		report_ask(*number, &asked);
		if (!asked.length)
			break;
		wrong = cut_line(&line, asked.data);
		if (!wrong && strcmp(line.word[0], "step"))
			wrong = "not a step";
		if (wrong)
			die("a line from the host: %s", wrong);
		carry_out(&line, number, *number + 1);
	}
	text_free(&asked);
}

static void follow(const struct line *line, unsigned int *number,
		   unsigned int steps)
{
	if (!strcmp(line->word[0], "load"))
		load(line);
	else if (!strcmp(line->word[0], "step"))
		carry_out(line, number, steps);
	else if (!strcmp(line->word[0], "serve"))
		serve(number);
}

static int be_init(void)
{
	struct text nothing = { NULL, 0, 0 };
	unsigned int number = 0;
	const char *wrong;
	size_t i;

	prepare();
	milestone("init");
	wrong = plan_read(&plan, PLAN);
	if (wrong)
		die("%s: %s", PLAN, wrong);
	report_open();
	milestone("scenario");
	clear_kernel_log();	/* up to here, the console has it */
	report_step(&plan, 0, 0, &nothing);
	for (i = 0; i < plan.count; i++)
		follow(&plan.lines[i], &number, count_steps());
	report_done();
	milestone("done");
	end_machine();
	return 1;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];

	if (!strcmp(name, "modprobe")) {
		occupy_standard_files("/dev/null");
		return modprobe(argc, argv);
	}
	if (getpid() == 1)
		return be_init();
	fputs("haminit: is the first process of a guest, and nothing else\n",
	      stderr);
	return 2;
}
