// SPDX-License-Identifier: GPL-2.0
/*
 * elf32: a 32-bit program, which runs at home from begin to end: writes a line
 * that carries a computed number and exits with status 32. It has no C library,
 * so that no 32-bit one must be installed.
 */
#define NR_EXIT		1
#define NR_WRITE	4

static int call(int number, int a, const void *b, int c)
{
	int result;

	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

void _start(void)
{
	char line[] = "32-bit program: 000000\n";
	volatile unsigned int sum = 0;

	for (unsigned int i = 0; i < 50000000; i++)
		sum += i & 1;
	for (unsigned int i = sizeof(line) - 3, n = sum % 1000000; n; n /= 10)
		line[i--] = '0' + n % 10;
	call(NR_WRITE, 1, line, sizeof(line) - 1);
	for (;;)
		call(NR_EXIT, 32, 0, 0);
}
