/* SPDX-License-Identifier: MIT */
#include "problems.h"
#include "forkjoin/integrate.h"
#include "forkjoin/leaf.h"
#include "forkjoin/loop.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"
#include "submit/post.h"

#include <errno.h>

float *matmul_a, *matmul_b, *matmul_c;
int *sort_data, *sort_spare;
uint32_t *loop_data;

/* ---- trees ---------------------------------------------------------------------------------- */

/* fib(n) calls of fib end in 1, so there are fib(n + 1) - 1 that fork. */
static bool fib_known(const struct bench_run *run, struct known *out)
{
	uint64_t a = 0, b = 1;

	if (run->size > 60)
		return false;
	for (long i = 0; i < run->size; i++) {
		uint64_t sum = a + b;

		a = b;
		b = sum;
	}
	*out = (struct known){ a, b - 1 };
	return true;
}

/* Another algorithm than the benches': sets of bits for threatened columns and diagonals. */
static void queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right, struct known *out)
{
	if (columns == all)
		out->result++;
	for (uint32_t free = all & ~(columns | left | right); free; free &= free - 1) {
		uint32_t bit = free & -free;

		out->tasks++;
		queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1, out);
	}
}

static bool nqueens_known(const struct bench_run *run, struct known *out)
{
	/* https://oeis.org/A000170 */
	static const uint64_t answers[] = { 1,     1,     0,      0,       2,       10,
		                            4,     40,    92,     352,     724,     2680,
		                            14200, 73712, 365596, 2279184, 14772512 };

	if (run->size < 1 || run->size > QUEENS_MAX)
		return false;
	*out = (struct known){ 0, 0 };
	queens((1u << run->size) - 1, 0, 0, 0, out);
	return out->result == answers[run->size];
}

/* Counts the forks, and sums in the order of the benches. */
static double area(double x1, double y1, double x2, double y2, double before, uint64_t *forks)
{
	struct halves h = halve(x1, y1, x2, y2);
	double right;

	if (close_enough(h, before))
		return h.left + h.right;
	++*forks;
	right = area(h.x, h.y, x2, y2, h.right, forks);
	return area(x1, y1, h.x, h.y, h.left, forks) + right;
}

static bool integrate_known(const struct bench_run *run, struct known *out)
{
	double n = (double)run->size, exact = n * n * n * n / 4 + n * n / 2, sum;

	if (run->size < 1 || run->size > 5000)
		return false;
	out->tasks = 0;
	sum = area(0, 0, n, height(n), 0, &out->tasks);
	out->result = whole(sum);
	return fabs(sum - exact) < 0.1;
}

/* size leaves, a power of ten; every node above has ten children, each forked. */
static bool skynet_known(const struct bench_run *run, struct known *out)
{
	uint64_t n = (uint64_t)run->size, power = 1;

	while (power < n)
		power *= 10;
	if (n < 10 || power != n)
		return false;
	*out = (struct known){ n * (n - 1) / 2, (n - 1) / 9 * 10 };
	return true;
}

static bool uts_known(const struct bench_run *run, struct known *out)
{
	out->result = run->size == 1 ? 4130071 : 4112897;
	out->tasks = out->result - 1;
	return run->size == 1 || run->size == 3;
}

/* ---- matrices ------------------------------------------------------------------------------- */

/* Small and whole: 2,048 products of two such are summed without rounding. */
static float element(long i, long j, long seed)
{
	return (float)((i * 7 + j * 13 + seed) % 17 - 8);
}

static uint64_t weight(long i)
{
	return (uint64_t)i * 2654435761u + 1;
}

/*
 * The sum of weight(i) weight(j) C[i][j], mod 2^64, from C or, if that is not given, from A and B
 * alone: any wrong or misplaced element shows.
 */
static uint64_t weighed(long n)
{
	uint64_t sum = 0;

	for (long k = 0; k < n; k++) {
		uint64_t column = 0, row = 0;

		for (long i = 0; i < n; i++) {
			column += weight(i) * (uint64_t)(int64_t)element(i, k, 1);
			row += weight(i) * (uint64_t)(int64_t)element(k, i, 5);
		}
		sum += column * row;
	}
	return sum;
}

/* Aligned: where it lies in a program makes it up to half as slow again. */
__attribute__((aligned(64))) void matmul_leaf(struct blocks q, long n)
{
	for (int i = 0; i < MATMUL_LEAF; i++)
		for (int k = 0; k < MATMUL_LEAF; k++) {
			/* No other name for C: this inner loop is one of vectors. */
			float *__restrict c = q.c + i * n;
			const float *__restrict b = q.b + k * n;
			float a = q.a[i * n + k];

			for (int j = 0; j < MATMUL_LEAF; j++)
				c[j] += a * b[j];
		}
}

static uint64_t matmul_outcome(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		for (long j = 0; j < n; j++)
			sum += weight(i) * weight(j) * (uint64_t)(int64_t)matmul_c[i * n + j];
	return sum;
}

static void *allocate(size_t bytes)
{
	void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);

	if (!p)
		bench_fail("no memory for the data", ENOMEM);
	return p;
}

static bool matmul_known(const struct bench_run *run, struct known *out)
{
	long n = run->size;

	if (n < MATMUL_LEAF || n > MATMUL_MAX || (n & (n - 1)))
		return false;
	out->result = weighed(n);
	out->tasks = 0; /* 6 for each block that is divided: three of each four, twice */
	for (uint64_t half = (uint64_t)n / 2, nodes = 1; half >= MATMUL_LEAF; half /= 2, nodes *= 8)
		out->tasks += 6 * nodes;
	return true;
}

static void matmul_prepare(long n)
{
	size_t bytes = (size_t)(n * n) * sizeof(float);

	if (!matmul_c) {
		matmul_a = allocate(bytes);
		matmul_b = allocate(bytes);
		matmul_c = allocate(bytes);
		for (long i = 0; i < n * n; i++) {
			matmul_a[i] = element(i / n, i % n, 1);
			matmul_b[i] = element(i / n, i % n, 5);
		}
	}
	memset(matmul_c, 0, bytes);
}

/* ---- sorting -------------------------------------------------------------------------------- */

/* 0 ... n - 1, shuffled (Fisher and Yates, Knuth's generator), the same in every program. */
static int *shuffled(long n)
{
	int *v = allocate((size_t)n * sizeof *v);
	uint64_t random = 1;

	for (long i = 0; i < n; i++) {
		long other;

		random = random * 6364136223846793005u + 1442695040888963407u;
		other = (long)((random >> 33) % (uint64_t)(i + 1));
		v[i] = v[other];
		v[other] = (int)i;
	}
	return v;
}

static uint64_t merges(uint64_t n)
{
	return n <= SORT_LEAF ? 0 : 1 + merges(n / 2) + merges(n - n / 2);
}

static bool sort_known(const struct bench_run *run, struct known *out)
{
	if (run->size < 1 || run->size > 1 << 28)
		return false;
	*out = (struct known){ 0, merges((uint64_t)run->size) };
	for (long i = 0; i < run->size; i++)
		out->result += weight(i) * (uint64_t)i;
	return true;
}

static void sort_prepare(long n)
{
	static int *pristine;

	if (!pristine) {
		pristine = shuffled(n);
		sort_data = allocate((size_t)n * sizeof *sort_data);
		sort_spare = allocate((size_t)n * sizeof *sort_spare);
	}
	memcpy(sort_data, pristine, (size_t)n * sizeof *sort_data);
}

static uint64_t sort_outcome(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum += weight(i) * (uint64_t)sort_data[i];
	return sum;
}

/* ---- loops ---------------------------------------------------------------------------------- */

/* Loops are forks of nobody: loop counts them, and uneven its iterations. */
static bool loop_known(const struct bench_run *run, struct known *out)
{
	*out = (struct known){ 0, (uint64_t)run->size };
	for (long i = 0; i < LOOP_LENGTH; i++)
		out->result += weight(i) * (uint32_t)(i * run->size);
	return run->size >= 1;
}

static bool uneven_known(const struct bench_run *run, struct known *out)
{
	if (run->size < 1 || run->size > 1 << 17)
		return false;
	*out = (struct known){ 0, (uint64_t)run->size };
	for (long i = 0; i < run->size; i++)
		out->result += weight(i) * loop_steps((size_t)i);
	return true;
}

static void uneven_prepare(long n)
{
	if (!loop_data)
		loop_data = allocate((size_t)n * sizeof *loop_data);
	memset(loop_data, 0, (size_t)n * sizeof *loop_data);
}

static uint64_t uneven_outcome(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum += weight(i) * loop_data[i];
	return sum;
}

static void loop_prepare(long loops)
{
	(void)loops;
	uneven_prepare(LOOP_LENGTH);
}

static uint64_t loop_outcome(long loops)
{
	(void)loops;
	return uneven_outcome(LOOP_LENGTH);
}

/* ---- children behind a long leaf ------------------------------------------------------------ */

static bool leaf_known(const struct bench_run *run, struct known *out)
{
	uint64_t n = (uint64_t)run->size;

	if (run->size < 1 || run->size > 1 << 17)
		return false;
	*out = (struct known){ leaf_long(n), n };
	for (uint64_t i = 0; i < n; i++)
		out->result += leaf_child(i);
	return true;
}

/* ---- flat loads ----------------------------------------------------------------------------- */

/* Tasks, or items, are numbered from 0; their numbers are summed. */
static bool numbers_known(const struct bench_run *run, struct known *out)
{
	uint64_t n = (uint64_t)run->size;

	*out = (struct known){ n * (n - 1) / 2, n };
	return n >= 1;
}

static bool count_known(const struct bench_run *run, struct known *out)
{
	*out = (struct known){ (uint64_t)run->size, (uint64_t)run->size };
	return run->size >= 1;
}

/* A round trip is two wake-ups. */
static bool pingpong_known(const struct bench_run *run, struct known *out)
{
	*out = (struct known){ (uint64_t)run->size, 2 * (uint64_t)run->size };
	return run->size >= 1;
}

static void forget(long size)
{
	(void)size;
	tally_reset();
}

enum { K = 1000, M = 1000 * K };

const struct problem problems[] = {
	{ "fib", "the number n", { 38, 33, 30, 17 }, fib_known, NULL, NULL },
	{ "nqueens", "queens on a board", { 12, 12, 12, 8 }, nqueens_known, NULL, NULL },
	{ "integrate", "where the area ends", { 2000, 1000, 400, 6 }, integrate_known, NULL, NULL },
	{ "skynet", "leaves, a power of ten", { 100 * M, 10 * M, M, K }, skynet_known, NULL, NULL },
	{ "uts", "tree: 1 is T1, 3 is T3", { 1, 1, 1, 1 }, uts_known, NULL, NULL },
	{ "matmul",
	  "rows, a power of two",
	  { 1024, 1024, 1024, 512 },
	  matmul_known,
	  matmul_prepare,
	  matmul_outcome },
	{ "sort", "ints", { 4 * M, 4 * M, 4 * M, 4 * M }, sort_known, sort_prepare, sort_outcome },
	{ "loop",
	  "loops of 1,000",
	  { 500 * K, 50 * K, 50 * K, K },
	  loop_known,
	  loop_prepare,
	  loop_outcome },
	{ "leaf", "children", { 1000, 1000, 1000, 1000 }, leaf_known, NULL, NULL },
	{ "uneven",
	  "iterations",
	  { 20 * K, 20 * K, 20 * K, 20 * K },
	  uneven_known,
	  uneven_prepare,
	  uneven_outcome },
	{ "flat-fork", "forks from one frame", { 10 * M, M, M, 10 * K }, numbers_known, NULL, NULL },
	{ "flat-submit", "tasks of one group", { M, M, M, 10 * K }, numbers_known, forget, NULL },
	{ "submit", "tasks from outside", { M, M, M, 10 * K }, numbers_known, forget, NULL },
	{ "switch", "yields between two", { 10 * M, M, M, 200 * K }, count_known, NULL, NULL },
	{ "chan", "items through a channel", { 5 * M, M, M, M }, numbers_known, NULL, NULL },
	{ "pingpong", "round trips", { M, 100 * K, 100 * K, 20 * K }, pingpong_known, NULL, NULL },
	{ "wake", "submits to a sleeping pool", { 100, 100, 100, 100 }, count_known, NULL, NULL },
	{ NULL, NULL, { 0 }, NULL, NULL, NULL },
};
