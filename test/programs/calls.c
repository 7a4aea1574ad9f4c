// SPDX-License-Identifier: GPL-2.0
/*
 * calls: what a program can observe of the system call instruction itself, and of
 * memory that grows, each made from away: results, errors, the registers that the
 * call keeps and the two that it destroys, the old 32-bit entry, blocking calls.
 */
#include "where.h"
#include "check.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
} calls_in, calls_out;

void calls_raw(void);
extern char calls_after[];
asm(
".macro CALLS_EACH op\n"
"	.irp pair, \"0,rax\", \"8,rbx\", \"16,rcx\", \"24,rdx\", \"32,rsi\", \"40,rdi\", "
"\"48,rbp\", \"56,r8\", \"64,r9\", \"72,r10\", \"80,r11\", \"88,r12\", \"96,r13\", "
"\"104,r14\", \"112,r15\"\n"
"	\\op \\pair\n"
"	.endr\n"
".endm\n"
".macro CALLS_LOAD at, reg\n	mov calls_in+\\at(%rip), %\\reg\n.endm\n"
".macro CALLS_SAVE at, reg\n	mov %\\reg, calls_out+\\at(%rip)\n.endm\n"
"calls_raw:\n"
"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
"	CALLS_EACH CALLS_LOAD\n"
"	syscall\n"
"calls_after:\n"
"	CALLS_EACH CALLS_SAVE\n"
"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n"
"	ret\n");

static void registers(void)
{
	uint64_t *in = (uint64_t *)&calls_in;

	for (int i = 0; i < 1000; i++) {
		for (unsigned int k = 0; k < sizeof(calls_in) / 8; k++)
			in[k] = 0x1000100010001 * (k + 1) + i;
		calls_in.rax = SYS_getppid;
		calls_raw();
		check(calls_out.rax == (uint64_t)getppid(), "getppid says %lu", calls_out.rax);
		check(calls_out.rcx == (uint64_t)calls_after, "rcx is %#lx, not the address after",
		      calls_out.rcx);
		check(calls_out.r11 & 0x202, "r11 is %#lx, not the flags", calls_out.r11);
		calls_in.rax = calls_out.rax;
		calls_in.rcx = calls_out.rcx;
		calls_in.r11 = calls_out.r11;
		check(!memcmp(&calls_in, &calls_out, sizeof(calls_in)), "a call changed registers");
	}
	printf("system calls keep the registers\n");
}

static void old_entry(void)
{
	int pid;

	go_away();
	asm volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");
	check(pid == getpid(), "int 0x80: getpid says %d", pid);
	printf("int 0x80: answered\n");
}

static void errors(void)
{
	check(syscall(999) == -1 && errno == ENOSYS, "call 999: %s", strerror(errno));
	check(syscall(-1L) == -1 && errno == ENOSYS, "call -1: %s", strerror(errno));
	check(syscall(SYS_write, 1, (void *)8, 10) == -1 && errno == EFAULT, "write: %s",
	      strerror(errno));
	check(close(12345) == -1 && errno == EBADF, "close: %s", strerror(errno));
	printf("errors: as they should be\n");
}

__attribute__((noinline)) static int grow(int depth)
{
	volatile char frame[3000];

	frame[0] = depth;
	return depth ? grow(depth - 1) + frame[0] * 0 + 1 : frame[0];
}

static void memory(void)
{
	char *heap, *area;

	go_away();
	check(grow(1000) == 1000, "recursion");
	heap = must(sbrk(1 << 20));
	go_away();
	memset(heap, 7, 1 << 20);
	area = must(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0));
	for (long i = 0; i < 64 << 20; i += 1 << 16)
		area[i] = i >> 16;
	for (long i = 0; i < 64 << 20; i += 1 << 16)
		check(area[i] == (char)(i >> 16), "memory at %ld", i);
	printf("stack, heap and mappings grow\n");
}

/* Blocking calls with a partner that is away as well. */
static void *echo(void *arg)
{
	int *fds = arg;
	char c;

	while (read(fds[0], &c, 1) == 1)
		must(write(fds[3], &c, 1));
	return NULL;
}

static void pipes(void)
{
	pthread_t thread;
	int fds[4];
	char c;

	must(pipe(fds));
	must(pipe(fds + 2));
	must0(pthread_create(&thread, NULL, echo, fds));
	for (int i = 0; i < 2000; i++) {
		c = i;
		must(write(fds[1], &c, 1));
		check(read(fds[2], &c, 1) == 1 && c == (char)i, "byte %d", i);
	}
	must(close(fds[1]));
	must0(pthread_join(thread, NULL));
	printf("2000 bytes there and back\n");
}

/* Threads that sleep in Linux and wake each other. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long turn, total;

static void *take_turns(void *arg)
{
	long self = (long)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != self)
			pthread_cond_wait(&condition, &mutex);
		total++;
		turn = (self + 1) % 4;
		pthread_cond_broadcast(&condition);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void locks(void)
{
	pthread_t thread[4];

	for (long i = 0; i < 4; i++)
		must0(pthread_create(&thread[i], NULL, take_turns, (void *)i));
	for (int i = 0; i < 4; i++)
		must0(pthread_join(thread[i], NULL));
	printf("%ld turns of four threads\n", total);
}

int main(void)
{
	registers();
	old_entry();
	errors();
	memory();
	pipes();
	locks();
	go_away();
	return 0;
}
