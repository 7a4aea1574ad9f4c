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
 * what the dynamic linker of the GNU C library hands to constructors. It uses nothing of
 * that library, which then has no symbols to look up here, nor of others, and a page of
 * memory beside its code: what is done for it every program pays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../abi/apkern.h"
#include "linux.h"

/*
 * The process that said its line ends LD_PRELOAD with this, which the dynamic linker
 * skips: its children keep quiet.
 */
#define SAID "::"

static long call(long number, long a, long b, long c)
{
	return linux_call(number, a, b, c, 0, 0, 0);
}

/* 0, or an error. */
static int adopt(void)
{
	struct apkern_adopt request = {
		.size = sizeof(request),
		.version = APKERN_VERSION,
	};
	long fd, result;

	fd = call(SYS_open, (long)APKERN_DEVICE, O_RDWR | O_CLOEXEC, 0);
	if (fd < 0)
		return -fd;
	result = call(SYS_ioctl, fd, APKERN_IOC_ADOPT, (long)&request);
	call(SYS_close, fd, 0, 0);
	return result < 0 ? -result : 0;
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
	char line[256] = "apkern: running natively: ";
	size_t old = length(*preload), mark = length(SAID), size = old + mark + 1;
	long marked;

	if (old >= mark && begins(*preload + old - mark, SAID))
		return;
	append(line, explain(error), sizeof(line));
	append(line, "\n", sizeof(line));
	/* One write: lines of several processes do not mix. */
	call(SYS_write, STDERR_FILENO, (long)line, length(line)); /* a closed stderr is the user's wish */
	marked = linux_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	if (marked < 0)
		return;
	append((char *)marked, *preload, size);
	append((char *)marked, SAID, size);
	*preload = (char *)marked;
}

__attribute__((constructor)) static void startup(int argc, char **argv, char **envp)
{
	char **opt_out = find(envp, "NOAPPKERN=");
	char **preload = find(envp, "LD_PRELOAD=");
	int error;

	(void)argc;
	(void)argv;
	if (opt_out && (*opt_out)[length("NOAPPKERN=")])
		return;
	error = adopt();
	/* Without LD_PRELOAD nobody asked for this program: it is preloaded system-wide. */
	if (error && preload)
		say(error, preload);
}
