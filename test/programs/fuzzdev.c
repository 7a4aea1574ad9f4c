// SPDX-License-Identifier: GPL-2.0
/*
 * fuzzdev SEED FIRST ROUNDS CPUS: requests of /dev/apkern and mappings of it,
 * right ones and wrong ones, each with the answer that abi/apkern.h promises.
 *
 * CPUS is the mask of application CPUs. Workers share one file, which others of
 * their threads close and open again meanwhile; what a worker is answered there may
 * also be that the file is closed. In between they fork, execute this program,
 * start threads. Every round's numbers come from SEED and its own number.
 */
#include "where.h"
#include "check.h"
#include "adopt.h"
#include "random.h"
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define WORKERS 3
#define PAGE 4096UL
#define MAP_PAGES (APKERN_MAP_CPU + APKERN_MAP_CPU_PAGES * (unsigned long)__builtin_popcountll(cpus))

static uint64_t seed, cpus;
static long current_round;
static const char *self;
static int shared_fd = -1; /* closed and opened under everybody's hands */
static volatile int over;
static char *readable; /* a page; before it one that is not there */
static char *memory; /* a page; behind it one that is not there */

#define round_check(cond, fmt, ...) \
	check(cond, "seed %#lx, round %ld: " fmt, seed, current_round, ##__VA_ARGS__)

union request {
	struct apkern_adopt adopt;
	struct apkern_info info;
	struct apkern_inject inject;
	uint8_t bytes[256];
};

static unsigned int size_of(unsigned int request)
{
	switch (request) {
	case APKERN_IOC_ADOPT:
	case APKERN_IOC_ADOPT_EXEC:
		return sizeof(struct apkern_adopt);
	case APKERN_IOC_INFO:
		return sizeof(struct apkern_info);
	case APKERN_IOC_INJECT:
		return sizeof(struct apkern_inject);
	}
	return 0;
}

/* One of ours, or nearly, or any that Linux itself does not answer for every file. */
static unsigned int pick_request(struct random *r)
{
	static const unsigned int ours[] = {
		APKERN_IOC_ADOPT,
		APKERN_IOC_ADOPT_EXEC,
		APKERN_IOC_INFO,
		APKERN_IOC_INJECT,
	};
	unsigned int request = one_of(r, ours);

	switch (below(r, 8)) {
	case 0:
		return request ^ 1U << below(r, 8); /* the number */
	case 1:
		return request ^ 1U << (16 + below(r, 16)); /* size and direction */
	case 2:
		return (unsigned int)random64(r) << 16 | APKERN_IOC << 8 | (random64(r) & 0xff);
	}
	return request;
}

/* Right, but for a field now and then. */
static void fill(struct random *r, unsigned int request, union request *q)
{
	memset(q, 0, sizeof(*q));
	q->info.size = size_of(request);
	q->info.version = APKERN_VERSION;
	switch (request) {
	case APKERN_IOC_ADOPT:
	case APKERN_IOC_ADOPT_EXEC:
		if (one_in(r, 2))
			q->adopt.cpus[0] = cpus & random64(r);
		if (one_in(r, 4))
			q->adopt.cpus[below(r, 4)] ^= 1ULL << below(r, 64);
		if (one_in(r, 8))
			q->adopt.flags = 1ULL << below(r, 64);
		break;
	case APKERN_IOC_INJECT:
		q->inject.cpu = random64(r) & 7;
		q->inject.command = random64(r) & 15;
		break;
	}
	if (one_in(r, 8))
		q->info.size ^= 1U << below(r, 32);
	if (one_in(r, 8))
		q->info.version ^= 1U << below(r, 32);
	if (one_in(r, 16)) {
		for (unsigned int i = 0; i < sizeof(q->bytes); i++)
			q->bytes[i] = random64(r);
	}
}

/* Where the structure is said to be; *has: how many bytes can be read there. */
static void *place(struct random *r, const union request *q, unsigned int size, unsigned int *has, int *writable)
{
	static const uintptr_t nowhere[] = {
		0,
		8,
		0x7ffffffff000,
		0x800000000000,
		0x8000000000000000,
		0xffff800000000000,
		0xffffffff80000000,
		0xffffffff81000000,
		0xffffffffff600000,
		0xfffffffffffffff8,
		0x0100000000000000,
	};
	char *p;

	*writable = 1;
	*has = size;
	switch (below(r, 8)) {
	case 0:
		*has = 0;
		return (void *)one_of(r, nowhere);
	case 1: /* the end is not there */
		if (size) {
			*has = below(r, size);
			p = memory + PAGE - *has;
			memcpy(p, q, *has);
			return p;
		}
		break;
	case 2:
		if (size) {
			*has = 0;
			return readable - 1 - below(r, size); /* the beginning is not there */
		}
		break;
	case 3:
		*writable = 0;
		must(mprotect(readable, PAGE, PROT_READ | PROT_WRITE));
		memcpy(readable, q, size);
		must(mprotect(readable, PAGE, PROT_READ));
		return readable;
	}
	p = memory + below(r, PAGE - sizeof(*q));
	memcpy(p, q, sizeof(*q));
	return p;
}

/* What abi/apkern.h says the answer is; 0: none but success. */
static int promised(unsigned int request, const union request *q, unsigned int has, int writable)
{
	unsigned int size = size_of(request);

	if (!size)
		return -ENOTTY;
	if (request == APKERN_IOC_INJECT)
		return -EPERM;
	if (has < size)
		return -EFAULT;
	if (q->info.size != size || q->info.version != APKERN_VERSION)
		return -EINVAL;
	if (request == APKERN_IOC_INFO)
		return writable ? 0 : -EFAULT;
	if (q->adopt.flags || q->adopt.cpus[0] & ~cpus || q->adopt.cpus[1] || q->adopt.cpus[2] || q->adopt.cpus[3])
		return -EINVAL;
	return 0;
}

static void make_request(struct random *r, int fd, int racing)
{
	unsigned int request = pick_request(r), has;
	union request q;
	int writable, want, got;
	void *p;

	fill(r, request, &q);
	p = place(r, &q, size_of(request), &has, &writable);
	want = -promised(request, &q, has, writable);
	got = ioctl(fd, request, p) ? errno : 0;
	if (racing && got == EBADF)
		return;
	round_check(got == want, "request %#x at %p: error %d (%s), not %d", request, p, got, strerror(got), want);
	if (!got && request == APKERN_IOC_INFO) {
		struct apkern_info info;

		memcpy(&info, p, sizeof(info));
		round_check(info.cpus == (unsigned int)__builtin_popcountll(cpus) && info.cpus_up == info.cpus &&
				    info.slots_used <= 1024 && info.tsc_khz,
			    "info is wrong");
	}
}

/* The device's pages, read; written to only by force, which must fail too. */
static void use_mapping(struct random *r, char *m, unsigned long size, int fd)
{
	volatile char *p = m + random64(r) % size;
	struct iovec from = { "x", 1 }, to = { (void *)p, 1 };

	(void)*p;
	round_check(process_vm_writev(getpid(), &from, 1, &to, 1, 0) < 0, "it was written to");
	round_check(mprotect(m, size, PROT_READ | PROT_WRITE) < 0, "it became writable");
	round_check(mprotect(m, size, PROT_READ | PROT_EXEC) < 0, "it became executable");
	switch (below(r, 4)) {
	case 0:
		munmap(m + (random64(r) % size & -PAGE), PAGE);
		break;
	case 1:
		madvise(m, size, MADV_DONTNEED);
		break;
	case 2: /* beyond its end there is nothing to be had */
		p = mremap(m, size, size + 64 * PAGE, MREMAP_MAYMOVE);
		round_check(p == MAP_FAILED, "it grew");
		break;
	case 3:
		mprotect(m, PAGE, PROT_NONE);
		break;
	}
	(void)fd;
	must(munmap(m, size));
}

static void make_mapping(struct random *r, int fd, int racing)
{
	static const int protections[] = {
		PROT_READ,
		PROT_READ,
		PROT_READ,
		PROT_NONE,
		PROT_READ | PROT_WRITE,
		PROT_WRITE,
		PROT_EXEC | PROT_READ,
	};
	int protection = one_of(r, protections), flags = one_in(r, 4) ? MAP_PRIVATE : MAP_SHARED, got, want = 0;
	unsigned long pages = 1 + below(r, one_in(r, 4) ? 4096 : MAP_PAGES), size = pages * PAGE;
	uint64_t offset = below(r, MAP_PAGES + 2);
	char *m;

	if (one_in(r, 4))
		offset = random64(r) >> (13 + below(r, 51)); /* as large as it can be */
	if (one_in(r, 16))
		flags |= MAP_POPULATE;
	m = mmap(NULL, size, protection, flags, fd, offset * PAGE);
	got = m == MAP_FAILED ? errno : 0;
	if (racing && got == EBADF)
		return;
	if (protection & (PROT_WRITE | PROT_EXEC))
		want = EPERM;
	else if (offset + pages > MAP_PAGES)
		want = EINVAL;
	round_check(got == want || (want && got == EOVERFLOW),
		    "mmap of %lu pages at %#lx, protection %d, flags %#x: error %d (%s), not %d", pages, offset,
		    protection, flags, got, strerror(got), want);
	if (got)
		return;
	if (protection == PROT_NONE)
		must(munmap(m, size));
	else
		use_mapping(r, m, size, fd);
}

/* What else can be asked of a file. */
static void other_calls(struct random *r, int fd)
{
	char c = 0;

	switch (below(r, 3)) {
	case 0:
		round_check(read(fd, &c, 1) < 0, "it was read");
		break;
	case 1:
		round_check(write(fd, &c, 1) < 0, "it was written");
		break;
	case 2:
		round_check(ftruncate(fd, random64(r) & 0xffff) < 0, "it was truncated");
		break;
	}
}

static void *thread(void *arg)
{
	struct random r = { .state = (uintptr_t)arg };

	for (int i = 0; i < 4; i++)
		make_request(&r, shared_fd, 1);
	return NULL;
}

/* A child that spins for a moment or ends at once, executes, or is killed. */
static void make_child(struct random *r)
{
	struct apkern_adopt request = { .size = sizeof(request), .version = APKERN_VERSION };
	int kind = below(r, 4), spins = below(r, 20000), status;
	pid_t pid = must(fork());

	if (!pid) {
		for (volatile int i = 0; i < spins; i++)
			continue;
		if (kind == 3) {
			int fd = open(APKERN_DEVICE, O_RDWR | O_CLOEXEC);

			if (fd < 0 || ioctl(fd, APKERN_IOC_ADOPT_EXEC, &request))
				_exit(1);
			execl(self, self, "away", NULL);
			_exit(2);
		}
		if (kind == 2)
			pause();
		_exit(0);
	}
	if (kind == 2)
		must(kill(pid, SIGKILL));
	must(waitpid(pid, &status, 0));
	round_check(status == (kind == 2 ? SIGKILL : 0), "a child ended with status %#x", status);
}

static void one_round(struct random *r, int fd)
{
	pthread_t t;

	switch (below(r, 32)) {
	case 0:
		if (one_in(r, 4))
			make_child(r);
		break;
	case 1:
		if (pthread_create(&t, NULL, thread, (void *)random64(r)))
			fail("no thread");
		must0(pthread_join(t, NULL));
		break;
	case 2:
		other_calls(r, fd);
		break;
	case 3 ... 9:
		make_mapping(r, fd, 0);
		break;
	case 10:
		make_mapping(r, shared_fd, 1);
		break;
	case 11 ... 14:
		make_request(r, shared_fd, 1);
		break;
	default:
		make_request(r, fd, 0);
	}
}

/* Closes the shared file and opens it again under the same number. */
static void *reopen(void *arg)
{
	(void)arg;
	while (!over) {
		int fd = must(open(APKERN_DEVICE, O_RDWR));

		must(dup2(fd, shared_fd));
		must(close(fd));
		close(shared_fd);
		must(usleep(500));
	}
	return NULL;
}

static char *lonely_page(int before)
{
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(p != MAP_FAILED, "mmap: %s", strerror(errno));
	must(mprotect(before ? p : p + 2 * PAGE, PAGE, PROT_NONE));
	return p + PAGE;
}

/* Rounds first + id, first + id + WORKERS, and so on. */
static void work(long id, long first, long rounds)
{
	int fd = must(open(APKERN_DEVICE, O_RDWR | O_CLOEXEC));
	pthread_t t;

	memory = lonely_page(0);
	readable = lonely_page(1);
	shared_fd = must(dup2(fd, 100));
	must0(pthread_create(&t, NULL, reopen, NULL));
	for (long i = id; i < rounds; i += WORKERS) {
		struct random r = random_of(seed, first + i);

		current_round = first + i;
		one_round(&r, fd);
	}
	over = 1;
	must0(pthread_join(t, NULL));
	exit(0);
}

int main(int argc, char **argv)
{
	long first, rounds;
	int status, bad = 0;

	if (argc == 2 && !strcmp(argv[1], "away")) {
		go_away();
		return 0;
	}
	self = argv[0];
	seed = argument(argc, argv, 1, 1);
	first = argument(argc, argv, 2, 0);
	rounds = argument(argc, argv, 3, 1000);
	cpus = argument(argc, argv, 4, 0xe);
	for (int i = 0; i < WORKERS; i++) {
		if (!must(fork()))
			work(i, first, rounds);
	}
	for (int i = 0; i < WORKERS; i++) {
		must(wait(&status));
		bad |= status;
	}
	check(!bad, "seed %#lx: a worker ended with status %#x", seed, bad);
	printf("%ld rounds\n", rounds);
	return 0;
}
