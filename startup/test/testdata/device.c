// SPDX-License-Identifier: GPL-2.0
/*
 * A device for libstartup.c compiled with -Dopen=device_open
 * -Dioctl=device_ioctl. DEVICE_OPEN and DEVICE_IOCTL in the environment are the
 * error numbers they fail with, 0 or unset: success.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../../../abi/apkern.h"

static int outcome(const char *variable)
{
	const char *value = getenv(variable);

	errno = value ? atoi(value) : 0;
	return errno ? -1 : 0;
}

int device_open(const char *path, int flags, ...)
{
	if (strcmp(path, APKERN_DEVICE) || !(flags & O_CLOEXEC))
		abort();
	return outcome("DEVICE_OPEN") ? -1 : open("/dev/null", flags);
}

int device_ioctl(int fd, unsigned long request, ...)
{
	static const struct apkern_adopt want = {
		.size = sizeof(want),
		.version = APKERN_VERSION,
	};
	va_list args;

	va_start(args, request);
	if (fd < 0 || request != APKERN_IOC_ADOPT ||
	    memcmp(va_arg(args, void *), &want, sizeof(want)))
		abort();
	va_end(args);
	return outcome("DEVICE_IOCTL");
}
