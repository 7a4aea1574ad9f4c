// SPDX-License-Identifier: GPL-2.0
/*
 * libstartup.so.1: LD_PRELOAD it, and a program's threads visit application
 * CPUs. Its constructor asks the module to adopt the calling thread; the module
 * adopts what that thread starts.
 *
 * NOAPPKERN, set and not empty, opts out. Whatever goes wrong, the program runs
 * natively: one line on stderr says why, once in a tree of processes, and the
 * program finds errno and its descriptors as if this library were not there.
 *
 * The library is linked to be initialised before all others (-z initfirst), since
 * their constructors may ask how many CPUs there are: OpenMP's does. So it comes
 * before the C library's own, which sets environ: the environment is looked up in
 * what the dynamic linker hands to constructors. It uses as little as possible of other
 * libraries, and few pages: what the dynamic linker does for it every program pays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../abi/apkern.h"

/*
 * The process that said its line ends LD_PRELOAD with this, which the dynamic linker
 * skips: its children keep quiet.
 */
#define SAID "::"

/* 0, or an error. */
static int adopt(void)
{
	static struct apkern_adopt request = {
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
	case EINVAL:
	case ENOTTY:
		return APKERN_DEVICE
		       " is of another version (install library and module of one version)";
	default:
		return APKERN_DEVICE " refused (see dmesg)";
	}
}

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* Does text begin with that? */
static bool begins(const char *text, const char *with)
{
	while (*with && *text == *with) {
		text++;
		with++;
	}
	return !*with;
}

static void append(char *line, const char *text, size_t size)
{
	size_t used = length(line);

	while (*text && used + 1 < size)
		line[used++] = *text++;
	line[used] = '\0';
}

/* Where in the environment the variable is, by its name with "="; NULL: nowhere. */
static char **find(char **envp, const char *name)
{
	while (*envp && !begins(*envp, name))
		envp++;
	return *envp ? envp : NULL;
}

static void say(int error, char **preload)
{
	static char marked[4096];
	static char line[256] = "apkern: running natively: ";
	size_t old = length(*preload), mark = length(SAID);
	ssize_t written;

	if (old >= mark && begins(*preload + old - mark, SAID))
		return;
	append(line, explain(error), sizeof(line));
	append(line, "\n", sizeof(line));
	/* One write: lines of several processes do not mix. */
	written = write(STDERR_FILENO, line, length(line));
	(void)written; /* a closed stderr is the user's wish */
	if (old + mark >= sizeof(marked))
		return;
	append(marked, *preload, sizeof(marked));
	append(marked, SAID, sizeof(marked));
	*preload = marked;
}

__attribute__((constructor)) static void startup(int argc, char **argv, char **envp)
{
	char **opt_out = find(envp, "NOAPPKERN=");
	char **preload = find(envp, "LD_PRELOAD=");
	int saved = errno;
	int error;

	(void)argc;
	(void)argv;
	if (opt_out && (*opt_out)[length("NOAPPKERN=")])
		return;
	error = adopt();
	/* Without LD_PRELOAD nobody asked for this program: it is preloaded system-wide. */
	if (error && preload)
		say(error, preload);
	errno = saved;
}
