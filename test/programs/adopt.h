/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One thread asks to be adopted, in a program that was not: its main thread stays
 * at home, where it makes calls by the thousand. Include after check.h.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "../../abi/apkern.h"

static inline void adopt_this_thread(void)
{
	struct apkern_adopt request = { .size = sizeof(request), .version = APKERN_VERSION };
	int fd;

	if (anywhere)
		return;
	fd = must(open(APKERN_DEVICE, O_RDWR | O_CLOEXEC));
	must(ioctl(fd, APKERN_IOC_ADOPT, &request));
	must(close(fd));
}

#endif
