// SPDX-License-Identifier: GPL-2.0
/*
 * libstartup.so.1: LD_PRELOAD it, and a program's threads visit application
 * CPUs. Its constructor asks the module to adopt the calling thread; the module
 * adopts what that thread starts.
 *
 * NOAPPKERN, set and not empty, opts out. Whatever goes wrong, the program runs
 * natively: one line on stderr says why, once in a tree of processes, and the
 * program finds errno and its descriptors as if this library were not there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../abi/apkern.h"

/* Set by the process that said its line: its children keep quiet. */
#define SAID "APKERN_SAID"

static int adopt(void)
{
	struct apkern_adopt request = {
		.size = sizeof(request),
		.version = APKERN_VERSION,
	};
	int error = 0;
	int fd;

	fd = open(APKERN_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return errno;
	if (ioctl(fd, APKERN_IOC_ADOPT, &request) < 0)
		error = errno;
	close(fd);
	return error;
}

static const char *explain(int error)
{
	switch (error) {
	case ENOENT:
	case ENXIO:
		return "no " APKERN_DEVICE " (load the module: insmod apkern.ko)";
	case EACCES:
	case EPERM:
		return "no permission for " APKERN_DEVICE
		       " (be root or in group apkern)";
	case ENODEV:
		return "no application CPU is left (see apkern status)";
	case EINVAL:
	case ENOTTY:
		return APKERN_DEVICE
		       " is of another version (install library and module of one version)";
	default:
		return APKERN_DEVICE " refused (see dmesg)";
	}
}

static void append(char *line, const char *text, size_t size)
{
	size_t used = strlen(line);

	strncpy(line + used, text, size - used - 1);
}

static void say(int error)
{
	char line[256] = "apkern: running natively: ";
	ssize_t written;

	if (getenv(SAID))
		return;
	append(line, explain(error), sizeof(line));
	append(line, "\n", sizeof(line));
	/* One write: lines of several processes do not mix. */
	written = write(STDERR_FILENO, line, strlen(line));
	(void)written; /* a closed stderr is the user's wish */
	setenv(SAID, "1", 1);
}

__attribute__((constructor)) static void startup(void)
{
	const char *opt_out = getenv("NOAPPKERN");
	int saved = errno;
	int error;

	if (opt_out && *opt_out)
		return;
	error = adopt();
	if (error)
		say(error);
	errno = saved;
}
