// SPDX-License-Identifier: GPL-2.0
/*
 * fft [threads [m]]: the transform of 2^m complex numbers (m is even) in six steps, as
 * the program FFT of SPLASH-2 does it: the numbers are a square matrix, of which each
 * thread has some rows, and the steps are transpose, transform the rows, multiply by
 * roots of unity, transpose, transform, transpose. As there, the main thread alone
 * makes numbers and roots. Some values of the result are compared with the definition.
 */
#include "parallel.h"
#include <math.h>

struct complex {
	double re, im;
};

static int m = 16;
static long side, n;		/* the matrix' side, and all numbers */
static struct complex *numbers, *other;
static struct complex *roots;	/* of unity, n */

static struct complex times(struct complex a, struct complex b)
{
	return (struct complex){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static void make_numbers(void)
{
	for (long i = 0; i < n; i++) {
		double re = random_fraction(), im = random_fraction();

		numbers[i] = (struct complex){ re, im };
	}
	for (long i = 0; i < n; i++) {
		double angle = -2 * M_PI * i / n;

		roots[i] = (struct complex){ cos(angle), sin(angle) };
	}
}

/* The rows of one thread become columns, in blocks that fit in a cache. */
static void transpose(const struct complex *source, struct complex *target, long low, long high)
{
	const long block = 8;

	for (long column = 0; column < side; column += block)
		for (long row = low; row < high; row++)
			for (long c = column; c < column + block; c++)
				target[row * side + c] = source[c * side + row];
}

static void swap_bits(struct complex *row)
{
	for (long i = 0; i < side; i++) {
		long j = 0;

		for (int bit = 0; bit < m / 2; bit++)
			j |= (i >> bit & 1) << (m / 2 - 1 - bit);
		if (i < j) {
			struct complex kept = row[i];

			row[i] = row[j];
			row[j] = kept;
		}
	}
}

static void transform_row(struct complex *row)
{
	swap_bits(row);
	for (long half = 1; half < side; half *= 2) {
		long step = n / (2 * half);

		for (long first = 0; first < side; first += 2 * half)
			for (long i = 0; i < half; i++) {
				struct complex *a = &row[first + i], *b = &row[first + i + half];
				struct complex t = times(*b, roots[i * step]);

				*b = (struct complex){ a->re - t.re, a->im - t.im };
				*a = (struct complex){ a->re + t.re, a->im + t.im };
			}
	}
}

static void twiddle_row(struct complex *row, long number)
{
	for (long i = 0; i < side; i++)
		row[i] = times(row[i], roots[number * i]);
}

static void *work(void *arg)
{
	int me = (long)arg;
	long low = side * me / threads, high = side * (me + 1) / threads;

	barrier(me);
	transpose(numbers, other, low, high);
	barrier(me);
	for (long row = low; row < high; row++) {
		transform_row(other + row * side);
		twiddle_row(other + row * side, row);
	}
	barrier(me);
	transpose(other, numbers, low, high);
	barrier(me);
	for (long row = low; row < high; row++)
		transform_row(numbers + row * side);
	barrier(me);
	transpose(numbers, other, low, high);
	barrier(me);
	return NULL;
}

/* One value by the definition. */
static void check_value(const struct complex *input, long k)
{
	struct complex sum = { 0, 0 };

	for (long i = 0; i < n; i++) {
		struct complex t = times(input[i], roots[i * k % n]);

		sum.re += t.re;
		sum.im += t.im;
	}
	check(fabs(sum.re - other[k].re) < 1e-6 && fabs(sum.im - other[k].im) < 1e-6,
	      "value %ld is %g%+gi, not %g%+gi", k, other[k].re, other[k].im, sum.re, sum.im);
}

int main(int argc, char **argv)
{
	struct complex *input;

	threads = argument(argc, argv, 1, threads);
	m = argument(argc, argv, 2, m);
	check(threads > 0 && threads <= MAX_THREADS && m >= 6 && m <= 24 && m % 2 == 0, "threads or size");
	n = 1L << m;
	side = 1L << m / 2;
	numbers = allocate(n * sizeof(*numbers));
	other = allocate(n * sizeof(*other));
	roots = allocate(n * sizeof(*roots));
	input = allocate(n * sizeof(*input));
	make_numbers();
	memcpy(input, numbers, n * sizeof(*input));
	run_parallel(work);
	check_value(input, 1);
	check_value(input, n / 2 + 3);
	printf("result %.6f:%.6f\n", other[5].re, other[n - 1].im);
	return 0;
}
