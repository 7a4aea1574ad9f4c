// SPDX-License-Identifier: GPL-2.0
/*
 * faultcodes: for each kind of fault the exact signal, si_code and si_addr.
 * Every fault is raised away and left by siglongjmp.
 */
#include "where.h"
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE		4096
#define ANY_ADDRESS	((void *)-1)	/* the kernel gives the instruction's, checked as such */
#define KERNEL_ADDRESS	((char *)0xffff888000001000)
#define NON_CANONICAL	((char *)0x8000000000000000)

static sigjmp_buf back;
static siginfo_t seen;
static char *readonly, *nothing, *file, *not_executable;

static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	seen = *info;
	siglongjmp(back, 1);
}

static void read_byte(volatile char *p)
{
	(void)*p;
}

static void null_read(void)		{ read_byte(NULL); }
static void unmapped_read(void)		{ read_byte((char *)0x123456); }
static void unmapped_write(void)	{ *(volatile char *)0x123456 = 1; }
static void readonly_write(void)	{ *(volatile char *)(readonly + 5) = 1; }
static void none_read(void)		{ read_byte(nothing + 7); }
static void kernel_read(void)		{ read_byte(KERNEL_ADDRESS); }
static void kernel_write(void)		{ *(volatile char *)KERNEL_ADDRESS = 1; }
static void canonical_read(void)	{ read_byte(NON_CANONICAL); }
static void beyond_file(void)		{ read_byte(file + PAGE + 9); }
static void data_execute(void)		{ ((void (*)(void))(uintptr_t)not_executable)(); }
static void jump_nowhere(void)		{ ((void (*)(void))0x123000)(); }
static void jump_kernel(void)		{ ((void (*)(void))(uintptr_t)KERNEL_ADDRESS)(); }
static void privileged(void)		{ asm volatile("cli"); }
static void port_output(void)		{ asm volatile("outb %%al, $0x80" ::: "memory"); }
static void soft_interrupt(void)	{ asm volatile("int $0x20"); }
static void undefined(void)		{ asm volatile("ud2"); }
static void breakpoint(void)		{ asm volatile("int3"); }

static void integer_divide(void)
{
	asm volatile("divl %%ecx" :: "a"(1), "d"(0), "c"(0) : "cc");
}

static void integer_overflow(void)
{
	asm volatile("idivl %%ecx" :: "a"(0x80000000), "d"(-1), "c"(-1) : "cc");
}

static void sse(double a, double b, unsigned int unmask)
{
	unsigned int csr = 0x1f80 & ~unmask;

	asm volatile("ldmxcsr %2; divsd %1, %0" : "+x"(a) : "x"(b), "m"(csr));
}

static void sse_divide(void)		{ sse(1, 0, 0x200); }
static void sse_invalid(void)		{ sse(0, 0, 0x80); }
static void sse_overflow(void)		{ sse(1e300, 1e-300, 0x400); }

static void x87_divide(void)
{
	unsigned short cw = 0x37f & ~4;

	asm volatile("fninit; fldcw %0; fld1; fldz; fdivrp %%st, %%st(1); fwait" :: "m"(cw));
}

static const struct fault {
	const char *name;
	void (*raise)(void);
	int signal, code;
	void *addr;		/* NULL with SI_KERNEL */
	char **base;		/* when not NULL, addr is an offset from it */
	bool emulators_skip;	/* QEMU raises no SSE exceptions */
} faults[] = {
	{ "read of address 0", null_read, SIGSEGV, SEGV_MAPERR, NULL, NULL, false },
	{ "unmapped read", unmapped_read, SIGSEGV, SEGV_MAPERR, (void *)0x123456, NULL, false },
	{ "unmapped write", unmapped_write, SIGSEGV, SEGV_MAPERR, (void *)0x123456, NULL, false },
	{ "write to read-only memory", readonly_write, SIGSEGV, SEGV_ACCERR, (void *)5, &readonly, false },
	{ "read of PROT_NONE", none_read, SIGSEGV, SEGV_ACCERR, (void *)7, &nothing, false },
	{ "read of a kernel address", kernel_read, SIGSEGV, SEGV_MAPERR, KERNEL_ADDRESS, NULL, false },
	{ "write to a kernel address", kernel_write, SIGSEGV, SEGV_MAPERR, KERNEL_ADDRESS, NULL, false },
	{ "non-canonical read", canonical_read, SIGSEGV, SI_KERNEL, NULL, NULL, false },
	{ "read beyond the file", beyond_file, SIGBUS, BUS_ADRERR, (void *)(PAGE + 9), &file, false },
	{ "execution of data", data_execute, SIGSEGV, SEGV_ACCERR, (void *)0, &not_executable, false },
	{ "jump to unmapped memory", jump_nowhere, SIGSEGV, SEGV_MAPERR, (void *)0x123000, NULL, false },
	{ "jump to a kernel address", jump_kernel, SIGSEGV, SEGV_MAPERR, KERNEL_ADDRESS, NULL, false },
	{ "privileged instruction", privileged, SIGSEGV, SI_KERNEL, NULL, NULL, false },
	{ "port output", port_output, SIGSEGV, SI_KERNEL, NULL, NULL, false },
	{ "software interrupt", soft_interrupt, SIGSEGV, SI_KERNEL, NULL, NULL, false },
	{ "undefined instruction", undefined, SIGILL, ILL_ILLOPN, ANY_ADDRESS, NULL, false },
	{ "breakpoint", breakpoint, SIGTRAP, SI_KERNEL, NULL, NULL, false },
	{ "integer division by zero", integer_divide, SIGFPE, FPE_INTDIV, ANY_ADDRESS, NULL, false },
	{ "integer division overflow", integer_overflow, SIGFPE, FPE_INTDIV, ANY_ADDRESS, NULL, false },
	{ "SSE division by zero", sse_divide, SIGFPE, FPE_FLTDIV, ANY_ADDRESS, NULL, true },
	{ "SSE invalid operation", sse_invalid, SIGFPE, FPE_FLTINV, ANY_ADDRESS, NULL, true },
	{ "SSE overflow", sse_overflow, SIGFPE, FPE_FLTOVF, ANY_ADDRESS, NULL, true },
	{ "x87 division by zero", x87_divide, SIGFPE, FPE_FLTDIV, ANY_ADDRESS, NULL, false },
};

/* A fault without an address of its own carries that of its instruction, in this program. */
static bool in_program(void *p)
{
	extern char __executable_start[], etext[];

	return (char *)p >= __executable_start && (char *)p < etext;
}

/* Returns false when the instruction did not fault. */
static bool raised(const struct fault *f)
{
	memset(&seen, 0, sizeof(seen));
	if (sigsetjmp(back, 1))
		return true;
	go_away();
	f->raise();
	return false;
}

static void try_fault(const struct fault *f)
{
	char *addr = f->base ? *f->base + (long)f->addr : f->addr;

	if (!raised(f)) {
		check(f->emulators_skip, "%s: nothing happened", f->name);
		printf("%s: not raised by this processor\n", f->name);
		return;
	}
	check(seen.si_signo == f->signal, "%s: signal %d, not %d", f->name, seen.si_signo, f->signal);
	check(seen.si_code == f->code, "%s: si_code %d, not %d", f->name, seen.si_code, f->code);
	if (f->addr == ANY_ADDRESS)
		check(in_program(seen.si_addr), "%s: si_addr %p is not the instruction", f->name,
		      seen.si_addr);
	else
		check(seen.si_addr == addr, "%s: si_addr %p, not %p", f->name, seen.si_addr, addr);
	printf("%s: signal %d, si_code %d\n", f->name, seen.si_signo, seen.si_code);
}

static char *map(int protection)
{
	return must(mmap(NULL, PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

int main(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	int fd = must(memfd_create("short", 0));

	must(ftruncate(fd, PAGE));
	file = must(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	readonly = map(PROT_READ);
	nothing = map(PROT_NONE);
	not_executable = map(PROT_READ | PROT_WRITE);
	*not_executable = (char)0xc3;	/* ret */
	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		must(sigaction(signals[i], &sa, NULL));
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		try_fault(&faults[i]);
	return 0;
}
