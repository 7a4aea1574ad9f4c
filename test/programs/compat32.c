// SPDX-License-Identifier: GPL-2.0
/*
 * compat32: 32-bit code and 32-bit system calls in a 64-bit program: a far jump
 * into compatibility mode and back, int $0x80 from either mode, SYSENTER. Each
 * begins away and does as natively; registers survive.
 */
#include "where.h"
#include "check.h"
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Position-independent 32-bit code, copied below 4 GiB: EDI times three plus one,
 * and, by int $0x80, the process id in ESI. Returns to where ECX points: by a jump,
 * because a far return reads the stack with the wrong rights in QEMU 7.2.
 */
extern const char code32[], code32_end[];
asm(".pushsection .rodata\n"
	".code32\n"
	"code32:\n"
	"	leal 1(%edi,%edi,2), %edi\n"
	"	movl $20, %eax\n"
	"	int $0x80\n"
	"	movl %eax, %esi\n"
	"	ljmpl *%ss:(%ecx)\n"	/* DS is null */
	"code32_end:\n"
	".code64\n"
	".popsection\n");

static void *low(size_t size, int protection)
{
	void *m = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	check(m != MAP_FAILED, "mmap: %s", strerror(errno));
	return m;
}

struct far {
	uint32_t offset;
	uint16_t selector;
} __attribute__((packed));

/* 64-bit code that returns, and where it is; below 4 GiB. */
static struct far *way_back(void)
{
	uint8_t *m = low(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	struct far *f = (struct far *)(m + 16);

	m[0] = 0xc3;
	*f = (struct far){ (uint32_t)(uintptr_t)m, 0x33 };
	return f;
}

/* Registers that 32-bit code cannot name keep their 64 bits. */
static uint32_t in_compat(const void *code, const struct far *back, void *stack_top, uint32_t argument,
			  uint32_t *pid)
{
	struct far target = { (uint32_t)(uintptr_t)code, 0x23 };
	uint64_t r15 = 0x1515151515151515, result = argument, id = 0;

	asm volatile(
		"mov %%rsp, %%r12\n"
		"mov %[stack], %%rsp\n"
		"lea 1f(%%rip), %%rax\n"
		"push %%rax\n"		/* where the code at back returns */
		"mov %[r15], %%r15\n"
		"ljmp *(%[target])\n"
		"1: mov %%r12, %%rsp\n"
		"mov %%r15, %[r15]\n"
		: "+D"(result), "+S"(id), [r15] "+b"(r15)
		: [stack] "r"(stack_top), "c"(back), [target] "d"(&target)
		: "rax", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	check(r15 == 0x1515151515151515, "r15 %#lx", r15);
	*pid = id;
	return result;
}

static void on_ill(int sig, siginfo_t *info, void *context)
{
	(void)context;
	printf("SYSENTER: signal %d, code %d\n", sig, info->si_code);
	fflush(stdout);
	_exit(0);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_ill, .sa_flags = SA_SIGINFO };
	void *code = low(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	char *stack = low(65536, PROT_READ | PROT_WRITE);
	struct far *back = way_back();
	uint64_t r8 = 0x0808080808080808;
	long result;

	memcpy(code, code32, code32_end - code32);
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t pid, value;

		go_away();
		value = in_compat(code, back, stack + 65536, i, &pid);
		check(value == 3 * i + 1, "32-bit code says %u", value);
		check(pid == (uint32_t)getpid(), "int $0x80 there says %u", pid);
	}
	printf("compatibility mode: right\n");
	for (int i = 0; i < 20; i++) {
		go_away();
		asm volatile("mov %[r8], %%r8\n"
			     "int $0x80\n"
			     "mov %%r8, %[r8]\n"
			     : "=a"(result), [r8] "+r"(r8) : "0"(20L) : "r8", "r9", "r10", "r11", "memory");
		check(result == getpid(), "int $0x80 says %ld", result);
	}
	printf("int $0x80 from 64-bit code: right, r8 %#lx\n", r8);
	fflush(stdout);
	must(sigaction(SIGILL, &action, NULL));
	must(sigaction(SIGSEGV, &action, NULL));
	go_away();
	asm volatile("mov %%rsp, %%rbp\n"
		     "mov $20, %%eax\n"
		     "sysenter\n" ::: "rax", "rcx", "rdx", "memory");
	return 0;
}
