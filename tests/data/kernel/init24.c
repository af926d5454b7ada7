/* SPDX-License-Identifier: GPL-2.0-only */
/* The init of a test's guest: tells the kernel's name and what /proc says of memory, then restarts. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

static void show(const char *path)
{
	char text[512];
	ssize_t count;
	int file = open(path, O_RDONLY);

	while (file >= 0 && (count = read(file, text, sizeof(text))) > 0)
		fwrite(text, 1, count, stdout);
	close(file);
}

int main(void)
{
	struct utsname name;
	int console;

	mount("none", "/dev", "ramfs", 0, NULL);
	mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
	console = open("/dev/console", O_RDWR);
	dup2(console, 1);
	mount("none", "/proc", "proc", 0, NULL);
	uname(&name);
	printf("hamkit: init\nrelease %s version %s\n", name.release, name.version);
	show("/proc/meminfo");
	show("/proc/cpuinfo");
	printf("hamkit: done\n");
	fflush(stdout);
	tcdrain(1); /* the serial port may still be sending */
	reboot(RB_AUTOBOOT);
	return 1;
}
