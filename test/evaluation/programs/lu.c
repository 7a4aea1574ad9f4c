// SPDX-License-Identifier: GPL-2.0
/*
 * lu [threads [n]]: the factors of a matrix of n rows, in blocks of 16 that lie together
 * in memory, as the program LU of SPLASH-2 with contiguous blocks does it: blocks are
 * dealt to a grid of threads, and of each step first the diagonal block is factored,
 * then the blocks below and beside it, then the rest. As there, the main thread alone
 * makes the matrix. The factors are checked by solving for a known solution.
 */
#include "parallel.h"
#include <math.h>

#define B 16	/* rows of a block */

static long n = 512, blocks;	/* rows; rows of blocks */
static double *matrix;		/* block after block, by rows */
static double *right;		/* the right side, for which all unknowns are 1 */
static int grid_rows, grid_columns;

static double *block(long row, long column)
{
	return matrix + (row * blocks + column) * B * B;
}

static double *element(long row, long column)
{
	return block(row / B, column / B) + row % B * B + column % B;
}

static int owner(long row, long column)
{
	return row % grid_rows * grid_columns + column % grid_columns;
}

/* The largest on the diagonal: nothing need be exchanged. */
static void make_matrix(void)
{
	for (long row = 0; row < n; row++) {
		right[row] = 0;
		for (long column = 0; column < n; column++) {
			double value = random_fraction();

			if (row == column)
				value += n;
			*element(row, column) = value;
			right[row] += value;
		}
	}
}

/* d = L U, L with ones on its diagonal. */
static void factor(double *d)
{
	for (int k = 0; k < B; k++)
		for (int row = k + 1; row < B; row++) {
			d[row * B + k] /= d[k * B + k];
			for (int column = k + 1; column < B; column++)
				d[row * B + column] -= d[row * B + k] * d[k * B + column];
		}
}

/* a := a U^-1, for a block below the diagonal. */
static void below(double *a, const double *d)
{
	for (int row = 0; row < B; row++)
		for (int k = 0; k < B; k++) {
			a[row * B + k] /= d[k * B + k];
			for (int column = k + 1; column < B; column++)
				a[row * B + column] -= a[row * B + k] * d[k * B + column];
		}
}

/* a := L^-1 a, for a block beside the diagonal. */
static void beside(double *a, const double *d)
{
	for (int k = 0; k < B; k++)
		for (int row = k + 1; row < B; row++)
			for (int column = 0; column < B; column++)
				a[row * B + column] -= d[row * B + k] * a[k * B + column];
}

/* a := a - l u */
static void inner(double *a, const double *l, const double *u)
{
	for (int row = 0; row < B; row++)
		for (int k = 0; k < B; k++) {
			double factor = l[row * B + k];

			for (int column = 0; column < B; column++)
				a[row * B + column] -= factor * u[k * B + column];
		}
}

static void *work(void *arg)
{
	int me = (long)arg;

	barrier(me);
	for (long k = 0; k < blocks; k++) {
		if (owner(k, k) == me)
			factor(block(k, k));
		barrier(me);
		for (long i = k + 1; i < blocks; i++) {
			if (owner(i, k) == me)
				below(block(i, k), block(k, k));
			if (owner(k, i) == me)
				beside(block(k, i), block(k, k));
		}
		barrier(me);
		for (long row = k + 1; row < blocks; row++)
			for (long column = k + 1; column < blocks; column++)
				if (owner(row, column) == me)
					inner(block(row, column), block(row, k), block(k, column));
	}
	barrier(me);
	return NULL;
}

/* Solves for the right side; every unknown must come to 1. */
static double solve(void)
{
	double worst = 0;

	for (long row = 0; row < n; row++)
		for (long column = 0; column < row; column++)
			right[row] -= *element(row, column) * right[column];
	for (long row = n - 1; row >= 0; row--) {
		for (long column = row + 1; column < n; column++)
			right[row] -= *element(row, column) * right[column];
		right[row] /= *element(row, row);
		worst = fmax(worst, fabs(right[row] - 1));
	}
	return worst;
}

int main(int argc, char **argv)
{
	threads = argument(argc, argv, 1, threads);
	n = argument(argc, argv, 2, n);
	check(threads > 0 && threads <= MAX_THREADS && n > 0 && n % B == 0, "threads or size");
	blocks = n / B;
	grid_rows = sqrt(threads);
	while (threads % grid_rows)
		grid_rows--;
	grid_columns = threads / grid_rows;
	matrix = allocate(n * n * sizeof(*matrix));
	right = allocate(n * sizeof(*right));
	make_matrix();
	run_parallel(work);
	check(solve() < 1e-9, "the factors do not solve it");
	printf("result %.9f:%.9f\n", *element(n - 1, n - 1), *element(n / 2, 3));
	return 0;
}
