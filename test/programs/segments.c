// SPDX-License-Identifier: GPL-2.0
/*
 * segments [rounds]: the FS and GS bases and the segment selectors belong to the
 * thread: they survive calls, page faults, signals and recalls away, and
 * arch_prctl() and the instructions see one and the same value.
 */
#include "where.h"
#include "check.h"
#include <asm/prctl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE		4096UL
#define HWCAP2_FSGSBASE	2	/* bit 1: asm/hwcap2.h */
#define USER_DS		0x2b

static volatile int handled;
static volatile bool waits, finished;

static uint64_t gs_base(void)
{
	uint64_t base;

	asm volatile("rdgsbase %0" : "=r"(base));
	return base;
}

static void set_gs_base(uint64_t base)
{
	asm volatile("wrgsbase %0" :: "r"(base));
}

static void on_usr1(int sig)
{
	(void)sig;
	handled++;
}

static void *signaller(void *victim)
{
	while (!finished) {
		if (!waits) {
			__builtin_ia32_pause();
			continue;
		}
		waits = false;
		must0(pthread_kill(*(pthread_t *)victim, SIGUSR1));
	}
	return NULL;
}

static void instructions(long rounds)
{
	char *area = must(mmap(NULL, rounds * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	no_huge_pages(area, rounds * PAGE);
	for (long i = 0; i < rounds; i++) {
		uint64_t want = 0x12345000 + i, kernel;

		go_away();
		set_gs_base(want);
		syscall(SYS_getppid);
		check(gs_base() == want, "GS base %#lx after a call, not %#lx", gs_base(), want);
		go_away();
		area[i * PAGE] = 1;
		check(gs_base() == want, "GS base %#lx after a fault, not %#lx", gs_base(), want);
		must(syscall(SYS_arch_prctl, ARCH_GET_GS, &kernel));
		check(kernel == want, "ARCH_GET_GS says %#lx, not %#lx", kernel, want);
		must(syscall(SYS_arch_prctl, ARCH_SET_GS, want ^ 0xff000));
		go_away();
		check(gs_base() == (want ^ 0xff000), "GS base %#lx after ARCH_SET_GS", gs_base());
	}
	printf("GS base kept, %ld rounds\n", rounds);
}

/*
 * The C library lives in FS, so a foreign base is only held over one instruction
 * sequence: a system call, or a spin long enough to be interrupted.
 */
static void fs(long rounds)
{
	uint64_t libc, seen_call, seen_spin;

	asm volatile("rdfsbase %0" : "=r"(libc));
	for (long i = 0; i < rounds; i++) {
		uint64_t want = 0x7000000000 + i * 16;

		go_away();
		asm volatile("wrfsbase %[want]\n"
			     "	mov $110, %%eax\n"
			     "	syscall\n"
			     "	rdfsbase %[call]\n"
			     "	mov $200000, %%ecx\n"
			     "1:	dec %%ecx\n"
			     "	jnz 1b\n"
			     "	rdfsbase %[spin]\n"
			     "	wrfsbase %[libc]\n"
			     : [call] "=&r"(seen_call), [spin] "=&r"(seen_spin)
			     : [want] "r"(want), [libc] "r"(libc)
			     : "rax", "rcx", "r11", "memory", "cc");
		check(seen_call == want, "FS base %#lx after a call, not %#lx", seen_call, want);
		check(seen_spin == want, "FS base %#lx after a spin, not %#lx", seen_spin, want);
	}
	printf("FS base kept, %ld rounds\n", rounds);
}

static void recalls(long rounds)
{
	pthread_t self = pthread_self(), thread;

	check(signal(SIGUSR1, on_usr1) != SIG_ERR, "signal: %s", strerror(errno));
	must0(pthread_create(&thread, NULL, signaller, &self));
	for (long i = 0; i < rounds; i++) {
		uint64_t want = 0x55550000 + i;
		int before = handled;

		set_gs_base(want);
		go_away();
		waits = true;
		spin_until(handled > before);
		check(gs_base() == want, "GS base %#lx after a signal, not %#lx", gs_base(), want);
	}
	finished = true;
	must0(pthread_join(thread, NULL));
	printf("GS base kept over signals, %ld rounds\n", rounds);
}

static uint16_t data_selector(void)
{
	uint16_t selector;

	asm volatile("mov %%ds, %0" : "=r"(selector));
	return selector;
}

/* A thread with a data selector may stay at home; it must find it in any case. */
static void selectors(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		go_away();
		asm volatile("mov %0, %%ds; mov %0, %%es" :: "r"(USER_DS));
		for (volatile int k = 0; k < 20000; k++)
			;
		syscall(SYS_getppid);
		check(data_selector() == USER_DS, "DS is %#x, not %#x", data_selector(), USER_DS);
		asm volatile("mov %0, %%ds; mov %0, %%es" :: "r"(0));
		syscall(SYS_getppid);
		check(data_selector() == 0, "DS is %#x, not 0", data_selector());
	}
	printf("selectors kept, %ld rounds\n", rounds);
}

/* Loading a selector clears the base, at home too; that the old one is there again must show. */
static void selectors_and_bases(long rounds)
{
	for (long i = 0; i < rounds; i++) {
		uint64_t gs = 0x66660000 + i, libc, fs;

		set_gs_base(gs);
		syscall(SYS_getppid);
		go_away();
		asm volatile("rdfsbase %[libc]\n"
			     "	mov %[selector], %%gs\n"
			     "	wrgsbase %[gs]\n"
			     "	mov %[selector], %%fs\n"
			     "	wrfsbase %[libc]\n"
			     "	mov $110, %%eax\n"
			     "	syscall\n"
			     "	rdfsbase %[fs]\n"
			     "	wrfsbase %[libc]\n"
			     : [libc] "=&r"(libc), [fs] "=&r"(fs)
			     : [selector] "r"(USER_DS), [gs] "r"(gs)
			     : "rax", "rcx", "r11", "memory", "cc");
		check(fs == libc, "FS base %#lx after its selector was loaded, not %#lx", fs, libc);
		check(gs_base() == gs, "GS base %#lx after its selector was loaded, not %#lx", gs_base(), gs);
		asm volatile("rdfsbase %[libc]\n"
			     "	mov %[null], %%gs\n"
			     "	mov %[null], %%fs\n"
			     "	wrfsbase %[libc]\n"
			     : [libc] "=&r"(libc) : [null] "r"(0) : "memory");
	}
	printf("bases kept beside selectors, %ld rounds\n", rounds);
}

int main(int argc, char **argv)
{
	long rounds = argument(argc, argv, 1, 200);

	check(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE, "no FSGSBASE instructions");
	instructions(rounds);
	fs(rounds);
	recalls(rounds);
	selectors(rounds);
	selectors_and_bases(rounds);
	return 0;
}
