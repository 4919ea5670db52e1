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

Test(loop, a_reduction_without_a_function_is_an_error)
{
	struct filch_reducer missing = product;
	struct matrix m;

	missing.combine = NULL;
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, &missing, NULL, &m), -EINVAL);
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, NULL, NULL, &m), -EINVAL);
	CHECK_EQ(filch_reduce(NULL, 0, 1, 0, &product, NULL, NULL), -EINVAL);
}
