// SPDX-License-Identifier: GPL-2.0
/* static: a statically linked program with threads, which only `apkern run` can send away. */
#include "where.h"
#include "check.h"
#include <pthread.h>

static void *square(void *arg)
{
	long n = (long)arg;

	go_away();
	return (void *)(n * n);
}

int main(int argc, char **argv)
{
	pthread_t thread[4];

	go_away();
	for (long i = 0; i < 4; i++)
		must0(pthread_create(&thread[i], NULL, square, (void *)(i + 1)));
	for (int i = 0; i < 4; i++) {
		void *result;

		must0(pthread_join(thread[i], &result));
		printf("%ld\n", (long)result);
	}
	return argc > 1 ? atoi(argv[1]) : 0;
}
