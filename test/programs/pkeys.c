// SPDX-License-Identifier: GPL-2.0
/*
 * pkeys: protection keys, if the processor has them. A thread's rights are its own
 * and change without a system call, and by one; faults away are reported as natively; signal
 * handlers begin with the default rights, and the thread's come back after them.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	4096UL

static volatile char *page;
static int key;
static sigjmp_buf out;
static volatile uint32_t in_handler;
static volatile int code, reported_key;

static uint32_t rights(void)
{
	uint32_t eax, edx;

	asm volatile(".byte 0x0f, 0x01, 0xee" : "=a"(eax), "=d"(edx) : "c"(0));	/* rdpkru */
	return eax;
}

static void set_rights(uint32_t value)
{
	asm volatile(".byte 0x0f, 0x01, 0xef" :: "a"(value), "c"(0), "d"(0) : "memory");	/* wrpkru */
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	in_handler = rights();
	code = info->si_code;
	reported_key = info->si_code == SEGV_PKUERR ? (int)info->si_pkey : -1;
	siglongjmp(out, 1);
}

static void on_usr1(int sig)
{
	(void)sig;
	in_handler = rights();
	set_rights(0);
}

static void try(const char *what, int write)
{
	code = 0;
	reported_key = -1;
	if (!sigsetjmp(out, 1)) {
		if (write)
			*page = 7;
		else
			(void)*page;
	}
	printf("%s: code %d, %s key, handler's rights %#x\n", what, code,
	       reported_key == key ? "its" : reported_key == -1 ? "no" : "another", code ? in_handler : 0);
}

/* Whatever happens to a thread, its rights stay. */
static void *keeps(void *arg)
{
	uint32_t mine = (uint32_t)(uintptr_t)arg;

	set_rights(mine);
	go_away();
	for (int i = 0; i < 200; i++) {
		check(rights() == mine, "rights %#x, not %#x", rights(), mine);
		syscall(SYS_getppid);
		for (volatile int k = 0; k < 20000; k++)
			;
		check(rights() == mine, "rights %#x, not %#x", rights(), mine);
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	volatile char *keyed;
	pthread_t threads[5];
	uint32_t initial;
	int fd[2];

	key = pkey_alloc(0, 0);
	if (key < 0) {
		printf("no protection keys: %s\n", strerror(errno));
		go_away();
		return 0;
	}
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED, "mmap: %s", strerror(errno));
	keyed = page;
	must(sigaction(SIGSEGV, &action, NULL));
	check(signal(SIGUSR1, on_usr1) != SIG_ERR, "signal: %s", strerror(errno));
	must(pkey_mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE, key));
	initial = rights();
	printf("initial rights %#x, key %d\n", initial, key);
	go_away();
	set_rights(initial | 1 << 2 * key);
	try("unpopulated, no access: read", 0);
	go_away();
	set_rights(initial | 2 << 2 * key);
	try("no writing: read", 0);
	try("no writing: write", 1);
	go_away();
	set_rights(initial & ~(3 << 2 * key));
	try("all: write", 1);
	go_away();
	set_rights(initial | 1 << 2 * key);
	try("no access: write", 1);
	go_away();
	set_rights(initial | 2 << 2 * key);
	go_away();
	must(kill(getpid(), SIGUSR1));
	check(rights() == (initial | 2 << 2 * key), "after a handler: rights %#x", rights());
	printf("after a handler with %#x: kept\n", in_handler);
	/* A mapping that can only be executed takes a right from the thread that makes it. */
	go_away();
	page = mmap(NULL, PAGE, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED, "mmap: %s", strerror(errno));
	go_away();
	try("execute only: read", 0);
	page = keyed;
	/* Linux reads memory for a thread by its rights, at this very moment. */
	set_rights(initial | 1 << 2 * key);
	must(pipe(fd));
	go_away();
	printf("write() without access: %zd", write(fd[1], (const void *)page, 1));
	printf(", %s\n", strerror(errno));
	go_away();
	set_rights(initial & ~(3 << 2 * key));
	printf("write() with access: %zd\n", write(fd[1], (const void *)page, 1));
	for (int i = 0; i < 5; i++)
		must0(pthread_create(&threads[i], NULL, keeps, (void *)(uintptr_t)(0x55555554 & ~(3U << (2 * i + 2)))));
	for (int i = 0; i < 5; i++)
		must0(pthread_join(threads[i], NULL));
	printf("rights of five threads: kept\n");
	return 0;
}
