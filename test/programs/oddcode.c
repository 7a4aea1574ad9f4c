// SPDX-License-Identifier: GPL-2.0
/*
 * oddcode: instructions that few programs use, each begun away: the vsyscall page,
 * ports (ioperm, iopl), what UMIP forbids and Linux emulates, alignment checks,
 * a time-stamp counter and CPUID that fault, speculation control. What comes of
 * each is printed, and is the same as natively.
 */
#include "where.h"
#include "check.h"
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/io.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf out;
static volatile int signal_number, signal_code;

/* The C library does not expect alignment checks. */
static void no_alignment_check(void)
{
	asm volatile("pushf\nandl $~0x40000, (%%rsp)\npopf" ::: "memory", "cc");
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	no_alignment_check();
	signal_number = sig;
	signal_code = info->si_code;
	siglongjmp(out, 1);
}

/* Executes the statement and prints the signal it ends with, if any. */
#define attempt_here(what, ...) do {					\
	signal_number = signal_code = 0;				\
	if (!sigsetjmp(out, 1)) {					\
		__VA_ARGS__;						\
	}								\
	printf("%s: signal %d, code %d\n", what, signal_number, signal_code); \
} while (0)

/* The same, beginning away. */
#define attempt(...) do {						\
	go_away();							\
	attempt_here(__VA_ARGS__);					\
} while (0)

static void vsyscall(void)
{
	time_t (*page_time)(time_t *) = (void *)0xffffffffff600400;
	int (*page_gettimeofday)(struct timeval *, void *) = (void *)0xffffffffff600000;
	volatile time_t t = 0;
	struct timeval tv = { 0 };

	attempt("vsyscall time", t = page_time(NULL));
	check(!t || labs(t - time(NULL)) < 5, "the page says %ld", t);
	attempt("vsyscall gettimeofday", page_gettimeofday(&tv, NULL));
	check(!tv.tv_sec || labs(tv.tv_sec - time(NULL)) < 5, "the page says %ld", tv.tv_sec);
	attempt("vsyscall page read", t = *(volatile char *)0xffffffffff600000);
	attempt("vsyscall page, no entry", ((void (*)(void))0xffffffffff600010)());
}

static void ports(void)
{
	attempt("port without a right", inb(0x80));
	attempt("CLI without a right", asm volatile("cli"));
	printf("ioperm: %d\n", ioperm(0x80, 1, 1) ? errno : 0);
	attempt_here("port with ioperm", inb(0x80));
	attempt_here("port beyond it", inb(0x81));
	printf("ioperm off: %d\n", ioperm(0x80, 1, 0) ? errno : 0);
	attempt("port after ioperm", inb(0x80));
	printf("iopl: %d\n", iopl(3) ? errno : 0);
	attempt_here("port with iopl", inb(0x81));
	attempt_here("CLI with iopl", asm volatile("cli"));
	printf("iopl off: %d\n", iopl(0) ? errno : 0);
	attempt("port after iopl", inb(0x81));
}

static void table_registers(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) volatile t = { 0 };
	volatile uint64_t word = 0;

	attempt("SGDT", asm volatile("sgdt %0" : "=m"(t)));
	printf(" %#x %#lx\n", t.limit, t.base);
	attempt("SIDT", asm volatile("sidt %0" : "=m"(t)));
	printf(" %#x %#lx\n", t.limit, t.base);
	attempt("SMSW", asm volatile("smsw %0" : "=r"(word)));
	printf(" %#lx\n", word);
	attempt("SLDT", asm volatile("sldt %0" : "=r"(word)));
	printf(" %#lx\n", word);
	attempt("STR", asm volatile("str %0" : "=r"(word)));
	printf(" %#lx\n", word);
}

static void privileged(void)
{
	attempt("HLT", asm volatile("hlt"));
	attempt("RDMSR", asm volatile("rdmsr" :: "c"(0x10) : "rax", "rdx"));
	attempt("CR0", asm volatile("mov %%cr0, %%rax" ::: "rax"));
	attempt("INT 0x81", asm volatile("int $0x81"));
	attempt("INT3", asm volatile("int3"));
	attempt("INT1", asm volatile(".byte 0xf1"));
	attempt("UD2", asm volatile("ud2"));
	attempt("INT 0x20", asm volatile("int $0x20"));
	attempt("INT 0xe1", asm volatile("int $0xe1"));
	attempt("INT 2", asm volatile("int $2"));
	attempt("INT 14", asm volatile("int $14"));
	attempt("address not canonical", *(volatile char *)0x8000000000000000);
	attempt("kernel address", *(volatile char *)0xffffffff81000000);
	attempt("jump to a kernel address", ((void (*)(void))0xffffffff81000000)());
	attempt("RDPMC", asm volatile("rdpmc" :: "c"(0) : "rax", "rdx"));
}

static void block_traps(void)
{
	sigset_t trap;

	sigemptyset(&trap);
	sigaddset(&trap, SIGTRAP);
	must(sigprocmask(SIG_BLOCK, &trap, NULL));
}

static void ignore_traps(void)
{
	must(signal(SIGTRAP, SIG_IGN) == SIG_ERR ? -1 : 0);
}

/*
 * The trap flag for one instruction, which clears it: a trap for which nothing stands
 * in the registers any more. It kills who does not want its signal.
 */
static void single_trap(const char *what, void (*unwanted)(void))
{
	pid_t child = must(fork());
	int status;

	if (!child) {
		unwanted();
		go_away();
		asm volatile("pushf\n"
			     "pushf\n"
			     "orl $0x100, (%%rsp)\n"
			     "popf\n"
			     "popf\n" ::: "memory", "cc");
		_exit(7);
	}
	must(waitpid(child, &status, 0));
	printf("a trap %s: status %#x\n", what, status);
}

static void alignment(void)
{
	static char data[16] __attribute__((aligned(16)));

	attempt("unaligned with AC", asm volatile("pushf\n"
						  "orl $0x40000, (%%rsp)\n"
						  "popf\n"
						  "mov 1(%0), %%eax\n" :: "r"(data) : "rax", "memory", "cc");
		no_alignment_check());
}

static void counters(void)
{
	attempt("RDTSC", __builtin_ia32_rdtsc());
	printf("PR_SET_TSC: %d\n", prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) ? errno : 0);
	attempt_here("RDTSC forbidden", __builtin_ia32_rdtsc());
	printf("PR_SET_TSC: %d\n", prctl(PR_SET_TSC, PR_TSC_ENABLE, 0, 0, 0) ? errno : 0);
	attempt("RDTSC", __builtin_ia32_rdtsc());
	printf("ARCH_SET_CPUID: %d\n", syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) ? errno : 0);
	attempt_here("CPUID forbidden", apic_id());
	printf("ARCH_SET_CPUID: %d\n", syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1) ? errno : 0);
}

static void speculation(void)
{
	static const int what[] = { PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, PR_SPEC_L1D_FLUSH };

	for (unsigned int i = 0; i < sizeof(what) / sizeof(*what); i++) {
		int before = prctl(PR_GET_SPECULATION_CTRL, what[i], 0, 0, 0);
		int set = prctl(PR_SET_SPECULATION_CTRL, what[i], PR_SPEC_DISABLE, 0, 0) ? errno : 0;

		go_away();
		printf("speculation %d: %d, set: %d, %d\n", what[i], before, set,
		       prctl(PR_GET_SPECULATION_CTRL, what[i], 0, 0, 0));
	}
}

/* The permission for state that grows on first use (AMX): none on a processor without. */
static void permissions(void)
{
	uint64_t supported = 0;

	printf("ARCH_GET_XCOMP_SUPP: %d", syscall(SYS_arch_prctl, 0x1021, &supported) ? errno : 0);
	printf(", %#lx\n", supported);
	printf("ARCH_REQ_XCOMP_PERM: %d\n", syscall(SYS_arch_prctl, 0x1023, 18) ? errno : 0);
	go_away();
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE };

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		must(sigaction(signals[i], &action, NULL));
	vsyscall();
	ports();
	table_registers();
	privileged();
	single_trap("blocked", block_traps);
	single_trap("ignored", ignore_traps);
	alignment();
	counters();
	speculation();
	permissions();
	return 0;
}
