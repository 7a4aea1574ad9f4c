// SPDX-License-Identifier: GPL-2.0
/*
 * secret leave CPU: fills all registers with a number, away on that CPU, goes home with
 * them by a system call and by a page fault, and ends.
 *
 * secret spin CPU: says so, is adopted, and from then on spins on that CPU without any
 * trap that would overwrite what the thread before left in the application kernel.
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include <stdint.h>

#define SECRET	"0x5ec4e75ec4e75ec4"

/* The page fault finds a page that is not there yet. */
static void leave(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED, "mmap: %s", strerror(errno));
	go_away();
	asm volatile("mov $" SECRET ", %%rbx\n"
		     ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
		     "movq %%rbx, %%xmm\\n\n"
		     "punpcklqdq %%xmm\\n, %%xmm\\n\n"
		     ".endr\n"
		     ".irp r, rcx,rdx,rsi,rdi,r8,r9,r10,r11,r12,r13,r14,r15\n"
		     "mov %%rbx, %%\\r\n"
		     ".endr\n"
		     "movb $1, (%%rax)\n"
		     "mov $39, %%eax\n"		/* getpid */
		     "syscall\n"
		     :: "a"(page)
		     : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
		       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory");
}

int main(int argc, char **argv)
{
	struct apkern_adopt request = { .size = sizeof(request), .version = APKERN_VERSION };
	long cpu = argument(argc, argv, 2, 1);
	int fd = must(open(APKERN_DEVICE, O_RDWR | O_CLOEXEC));

	request.cpus[cpu / 64] = 1UL << cpu % 64;
	if (argc > 1 && !strcmp(argv[1], "leave")) {
		must(ioctl(fd, APKERN_IOC_ADOPT, &request));
		for (int i = 0; i < 20; i++)
			leave();
		return 0;
	}
	puts("ready");
	fflush(stdout);
	must(ioctl(fd, APKERN_IOC_ADOPT, &request));
	for (;;)
		__builtin_ia32_pause();
}
