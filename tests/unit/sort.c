/* SPDX-License-Identifier: MIT */
/* Sorting: the order that a stable sort has, and no item lost, for every size of item. */
#include "../support.h"

TestSuite(sort, .timeout = WATCHDOG);

/* Items begin with a key, and (from 8 bytes on) the place they had. */
static int by_key(const void *a, const void *b)
{
	int32_t x, y;

	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return (x > y) - (x < y);
}

static const size_t sizes[] = { 4, 8, 12, 16, 64, 65, 200 };
static const size_t counts[] = { 0, 1, 2, 3, 8, 9, 100, 4096, 4097, 9001 };

enum shape { RANDOM, FEW_KEYS, SORTED, REVERSED, EQUAL, SHAPES };

static int32_t key(enum shape shape, size_t i, size_t n)
{
	uint32_t random = (uint32_t)(i * 2654435761u) ^ (uint32_t)(i >> 3) * 40503u;

	switch (shape) {
	case RANDOM:
		return (int32_t)random;
	case FEW_KEYS:
		return (int32_t)(random % 7);
	case SORTED:
		return (int32_t)i;
	case REVERSED:
		return (int32_t)(n - i);
	default:
		return 1;
	}
}

static char *items(enum shape shape, size_t n, size_t size)
{
	char *v = calloc(n + 1, size);

	for (size_t i = 0; i < n; i++) {
		int32_t k = key(shape, i, n), place = (int32_t)i;

		memcpy(v + i * size, &k, 4);
		if (size >= 8)
			memcpy(v + i * size + 4, &place, 4);
	}
	return v;
}

/* In order, equal keys in the order of their places, and the same keys as before by their sum. */
static void check_sorted(const char *v, size_t n, size_t size)
{
	for (size_t i = 1; i < n; i++) {
		const char *a = v + (i - 1) * size, *b = v + i * size;
		int c = by_key(a, b);

		CHECK(c <= 0);
		if (c == 0 && size >= 8)
			CHECK(by_key(a + 4, b + 4) < 0);
	}
}

static int64_t sum(const char *v, size_t n, size_t size)
{
	int64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		int32_t k;

		memcpy(&k, v + i * size, 4);
		total += k * (int64_t)31 + k % 1009;
	}
	return total;
}

static void sort_all(void *rt)
{
	for (size_t i = 0; i < LENGTH(sizes) * LENGTH(counts) * SHAPES; i++) {
		size_t size = sizes[i % LENGTH(sizes)],
		       n = counts[i / LENGTH(sizes) % LENGTH(counts)];
		char *v = items((enum shape)(i / LENGTH(sizes) / LENGTH(counts)), n, size);
		int64_t before = sum(v, n, size);

		CHECK_EQ(filch_sort(rt, v, n, size, by_key), 0);
		check_sorted(v, n, size);
		CHECK_EQ(sum(v, n, size), before);
		free(v);
	}
}

Test(sort, stable_and_whole_from_a_thread_in_a_task_and_serially)
{
	filch *rt = start();

	sort_all(rt);
	CHECK_EQ(filch_run(rt, sort_all, rt), 0);
	sort_all(NULL);
	stop(rt);
}

Test(sort, a_million_items)
{
	filch *rt = start();
	size_t n = 1000000;
	char *v = items(FEW_KEYS, n, 8);

	CHECK_EQ(filch_sort(rt, v, n, 8, by_key), 0);
	check_sorted(v, n, 8);
	free(v);
	stop(rt);
}

Test(sort, bad_arguments_are_errors)
{
	int32_t v[2] = { 2, 1 };

	CHECK_EQ(filch_sort(NULL, v, 2, 4, NULL), -EINVAL);
	CHECK_EQ(filch_sort(NULL, NULL, 2, 4, by_key), -EINVAL);
	CHECK_EQ(filch_sort(NULL, v, 2, 0, by_key), -EINVAL);
	CHECK_EQ(filch_sort(NULL, v, SIZE_MAX / 2, 4, by_key), -EINVAL);
	CHECK_EQ(v[0], 2);
}
