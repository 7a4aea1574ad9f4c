// SPDX-License-Identifier: GPL-2.0
/*
 * A Linux with a device, for libstartup.c. DEVICE_OPEN and DEVICE_IOCTL in the
 * environment are the error numbers they fail with, 0 or unset: success. All other
 * calls are the real one's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../../abi/apkern.h"
#include "../../linux.h"

static long outcome(const char *variable)
{
	const char *value = getenv(variable);

	return value ? -atoi(value) : 0;
}

static long real(long number, long a, long b, long c, long d, long e, long f)
{
	long result = syscall(number, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}

static long device_open(const char *path, long flags)
{
	if (strcmp(path, APKERN_DEVICE) || !(flags & O_CLOEXEC))
		abort();
	return outcome("DEVICE_OPEN") ?: real(SYS_open, (long)"/dev/null", flags, 0, 0, 0, 0);
}

static long device_ioctl(long fd, long request, const void *argument)
{
	static const struct apkern_adopt want = {
		.size = sizeof(want),
		.version = APKERN_VERSION,
	};

	if (fd < 0 || request != (long)APKERN_IOC_ADOPT || memcmp(argument, &want, sizeof(want)))
		abort();
	return outcome("DEVICE_IOCTL");
}

long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
	switch (number) {
	case SYS_open:
		return device_open((const char *)a, b);
	case SYS_ioctl:
		return device_ioctl(a, b, (const void *)c);
	}
	return real(number, a, b, c, d, e, f);
}
