// SPDX-License-Identifier: GPL-2.0
/*
 * ldt: segments of one's own. Selectors of the local descriptor table and of the
 * thread's own entries of the global one work and are kept; so do the instructions
 * that ask about selectors, in a thread that was away when they came into being.
 */
#include "where.h"
#include "check.h"
#include <asm/ldt.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SELECTOR(index)	((index) << 3 | 7)

static uint32_t *low;	/* below 4 GiB, what the segment covers */
static int installed, looked;

static uint16_t gs(void)
{
	uint16_t value;

	asm volatile("mov %%gs, %0" : "=r"(value));
	return value;
}

/* Access rights, 0: the selector is invalid. */
static uint32_t access_rights(uint16_t selector)
{
	uint32_t value = 0;

	asm volatile("lar %1, %0\n"
		     "jz 1f\n"
		     "xor %0, %0\n"
		     "1:" : "=&r"(value) : "r"((uint32_t)selector) : "cc");
	return value;
}

static uint32_t limit(uint16_t selector)
{
	uint32_t value = 0;

	asm volatile("lsl %1, %0\n"
		     "jz 1f\n"
		     "mov $-1, %0\n"
		     "1:" : "=&r"(value) : "r"((uint32_t)selector) : "cc");
	return value;
}

static int readable(uint16_t selector)
{
	uint8_t ok;

	asm volatile("verr %1\n"
		     "setz %0" : "=r"(ok) : "r"(selector) : "cc");
	return ok;
}

static void show(const char *what, uint16_t selector)
{
	printf("%s: rights %#x, limit %#x, readable %d\n", what, access_rights(selector), limit(selector),
	       readable(selector));
}

static void *sibling(void *arg)
{
	(void)arg;
	go_away();
	store(&looked, 1);
	spin_until(load(&installed));
	/* Home looks after threads that are away four times a second. */
	spin_until(access_rights(SELECTOR(1)));
	show("sibling", SELECTOR(1));
	return NULL;
}

static uint32_t through_gs(void)
{
	uint32_t value;

	asm volatile("mov %%gs:4, %0" : "=r"(value));
	return value;
}

int main(void)
{
	struct user_desc desc = { .entry_number = 1, .limit = 0xfff, .seg_32bit = 1, .useable = 1 };
	pthread_t thread;
	uint16_t selector = SELECTOR(1);

	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	check(low != MAP_FAILED, "mmap: %s", strerror(errno));
	low[1] = 0xfeed;
	desc.base_addr = (uint32_t)(uintptr_t)low;
	go_away();
	show("flat 64-bit code", 0x33);
	show("flat data", 0x2b);
	show("not present", 0x83);
	show("kernel code", 0x10);
	show("beyond the table", 0x1ff8 | 3);
	show("before", selector);
	must0(pthread_create(&thread, NULL, sibling, NULL));
	spin_until(load(&looked));
	go_away();
	if (syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)) < 0) {
		printf("no LDT: %s\n", strerror(errno));
		return 0;
	}
	show("after", selector);
	fflush(stdout);
	store(&installed, 1);
	must0(pthread_join(thread, NULL));
	asm volatile("mov %0, %%gs" :: "r"(selector));
	for (int i = 0; i < 50; i++) {
		check(gs() == selector && through_gs() == 0xfeed, "gs %#x, %#x", gs(), through_gs());
		syscall(SYS_getppid);
		for (volatile int k = 0; k < 20000; k++)
			;
	}
	printf("gs: kept\n");
	asm volatile("mov %0, %%gs" :: "r"((uint16_t)0));
	return 0;
}
