/* SPDX-License-Identifier: MIT */
/* Loops: every index exactly once, whatever the grain, wherever the call comes from. */
#include "../support.h"

TestSuite(loop, .timeout = WATCHDOG);

struct marks {
	size_t begin, most; /* what the range begins with, how long a part may be */
	unsigned char *seen;
	filch *rt;
	long failures;
};

static void mark(size_t begin, size_t end, void *arg)
{
	struct marks *m = arg;

	if (begin >= end || (m->most && end - begin > m->most))
		add(&m->failures, 1);
	for (size_t i = begin; i < end; i++)
		m->seen[i - m->begin]++;
}

static void each_once(filch *rt, size_t begin, size_t n, size_t grain)
{
	struct marks m = { .begin = begin, .most = grain, .seen = calloc(n + 1, 1) };

	filch_for(rt, begin, begin + n, grain, mark, &m);
	CHECK_EQ(get(&m.failures), 0);
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(m.seen[i], 1);
	CHECK_EQ(m.seen[n], 0);
	free(m.seen);
}

static const size_t lengths[] = { 0, 1, 2, 3, 63, 64, 65, 1000, 4096, 4097, 100003 };
static const size_t grains[] = { 0, 1, 2, 7, 64, 1000, 1000000, SIZE_MAX };

static void all_lengths(void *rt)
{
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		for (size_t j = 0; j < LENGTH(grains); j++)
			each_once(rt, 5, lengths[i], grains[j]);
	}
	each_once(rt, SIZE_MAX - 1000, 1000, 3);
}

Test(loop, every_index_once_from_a_thread_in_a_task_and_serially)
{
	filch *rt = start();

	all_lengths(rt);
	CHECK_EQ(filch_run(rt, all_lengths, rt), 0);
	all_lengths(NULL);
	stop(rt);
}

Test(loop, a_reversed_range_is_empty)
{
	struct marks m = { .failures = 0 };

	filch_for(NULL, 9, 3, 0, mark, &m);
	CHECK_EQ(m.failures, 0);
}

static void inner(size_t begin, size_t end, void *arg)
{
	struct marks *m = arg;

	for (size_t i = begin; i < end; i++)
		each_once(m->rt, i, 300, 10);
}

Test(loop, loops_nest)
{
	filch *rt = start();
	struct marks m = { .rt = rt };

	filch_for(rt, 0, 50, 1, inner, &m);
	stop(rt);
}

/* A loop of some milliseconds, all of its cost at the far end, with fewer and more workers than CPUs. */
static void heavy_end(size_t begin, size_t end, void *arg)
{
	struct marks *m = arg;

	mark(begin, end, arg);
	for (size_t i = begin; i < end; i++) {
		for (size_t j = 0; i >= 99000 && j < 3000; j++)
			__asm__ volatile("");
	}
	if (filch_here() && filch_here() != m->rt)
		add(&m->failures, 1);
}

Test(loop, every_index_once_with_one_two_and_eight_workers)
{
	static const unsigned pools[] = { 1, 2, 8 };
	size_t n = 100000;

	for (size_t i = 0; i < LENGTH(pools); i++) {
		filch *rt = start_workers(pools[i]);
		struct marks m = { .seen = calloc(n, 1), .rt = rt };

		filch_for(rt, 0, n, 0, heavy_end, &m);
		CHECK_EQ(m.failures, 0);
		for (size_t j = 0; j < n; j++)
			CHECK_EQ(m.seen[j], 1);
		free(m.seen);
		stop(rt);
	}
}

static void wait_for_the_next(size_t begin, size_t end, void *arg)
{
	filch_sem *done = arg;

	CHECK_EQ(end, begin + 1);
	CHECK_EQ(filch_sem_wait(&done[end], FILCH_NEVER), 0);
	filch_sem_post(&done[begin]);
}

/* However few the workers: a part that waits leaves the rest to others. */
Test(loop, a_part_may_wait_for_a_later_one)
{
	static const unsigned pools[] = { 1, 2, 8 };
	filch_sem done[101];

	for (size_t i = 0; i < LENGTH(pools); i++) {
		filch *rt = start_workers(pools[i]);

		for (size_t j = 0; j < LENGTH(done); j++)
			filch_sem_init(&done[j], j == LENGTH(done) - 1);
		filch_for(rt, 0, LENGTH(done) - 1, 1, wait_for_the_next, done);
		CHECK_EQ(filch_sem_wait(&done[0], FILCH_NEVER), 0);
		stop(rt);
	}
}

static void uneven(size_t begin, size_t end, void *arg)
{
	long *sum = arg, mine = 0;

	for (size_t i = begin; i < end; i++) {
		for (size_t j = 0; j < i; j++)
			mine += (long)(j ^ i) & 1;
		if (i % 500 == 0)
			sleep_ms(1);
	}
	add(sum, mine);
}

Test(loop, an_uneven_loop_that_waits_gives_the_serial_sum)
{
	filch *rt = start();
	long serial = 0, parallel = 0;

	uneven(0, 3000, &serial);
	filch_for(rt, 0, 3000, 0, uneven, &parallel);
	CHECK_EQ(parallel, serial);
	stop(rt);
}

/* A product of matrices tells the order in which parts were combined. */
struct matrix {
	uint32_t a, b, c, d;
};

static struct matrix times(struct matrix x, struct matrix y)
{
	return (struct matrix){ x.a * y.a + x.b * y.c, x.a * y.b + x.b * y.d, x.c * y.a + x.d * y.c,
		                x.c * y.b + x.d * y.d };
}

static void one(void *acc, void *arg)
{
	(void)arg;
	*(struct matrix *)acc = (struct matrix){ 1, 0, 0, 1 };
}

static void fold(void *acc, size_t begin, size_t end, void *arg)
{
	struct matrix *m = acc;

	(void)arg;
	for (size_t i = begin; i < end; i++)
		*m = times(*m, (struct matrix){ (uint32_t)i, 1, 7, (uint32_t)(i * i) });
}

static void combine(void *left, const void *right, void *arg)
{
	(void)arg;
	*(struct matrix *)left = times(*(struct matrix *)left, *(const struct matrix *)right);
}

static const struct filch_reducer product = { sizeof(struct matrix), one, fold, combine };

static void all_products(void *rt)
{
	for (size_t i = 0; i < LENGTH(lengths); i++) {
		struct matrix expected, m;

		one(&expected, NULL);
		fold(&expected, 3, 3 + lengths[i], NULL);
		for (size_t j = 0; j < LENGTH(grains); j++) {
			CHECK_EQ(filch_reduce(rt, 3, 3 + lengths[i], grains[j], &product, NULL, &m),
			         0);
			CHECK(!memcmp(&m, &expected, sizeof(m)));
		}
	}
}

Test(loop, a_reduction_combines_in_order)
{
	filch *rt = start();

	all_products(rt);
	CHECK_EQ(filch_run(rt, all_products, rt), 0);
	all_products(NULL);
	stop(rt);
}

/* Every part waits for a moment, so that others take the next ones and have results of their own. */
static void slow_fold(void *acc, size_t begin, size_t end, void *arg)
{
	fold(acc, begin, end, arg);
	if (begin % 7 == 0)
		sleep_ms(1);
}

static void fold_beside_others(size_t bytes)
{
	struct filch_reducer slow = { bytes, one, slow_fold, combine };
	struct matrix expected, m;
	filch *rt = start();

	one(&expected, NULL);
	fold(&expected, 0, 500, NULL);
	for (size_t grain = 0; grain < 4; grain++) {
		CHECK_EQ(filch_reduce(rt, 0, 500, grain, &slow, NULL, &m), 0);
		CHECK(!memcmp(&m, &expected, sizeof(m)));
	}
	stop(rt);
}

Test(loop, a_reduction_that_waits_combines_in_order)
{
	fold_beside_others(sizeof(struct matrix));
}

/* No memory has this size, so only the caller's result is there. */
Test(loop, a_reduction_needs_no_memory)
{
	fold_beside_others(SIZE_MAX);
}

Test(loop, a_reduction_without_a_function_is_an_error)
{
	struct filch_reducer missing = product;
	struct matrix m;

	missing.combine = NULL;
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, &missing, NULL, &m), -EINVAL);
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, NULL, NULL, &m), -EINVAL);
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, &product, NULL, NULL), -EINVAL);
}
