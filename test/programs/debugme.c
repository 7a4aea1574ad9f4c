// SPDX-License-Identifier: GPL-2.0
/* debugme: something for a debugger to stop in, step through and watch. */
#include "where.h"
#include "check.h"

volatile int result;

__attribute__((noinline)) int factorial(int n)
{
	if (n < 2)
		return 1;
	return n * factorial(n - 1);
}

int main(void)
{
	int r;

	go_away();
	r = factorial(5);
	result = r;
	r += factorial(3);
	result = r;
	printf("result %d\n", r);
	return 3;
}
