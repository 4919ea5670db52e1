/* SPDX-License-Identifier: MIT */
/* Sorting: the order that a stable sort has, and no item lost, for every size of item. */
#include "../support.h"

#include <sys/resource.h>

TestSuite(sort, .timeout = WATCHDOG);

/* Items begin with a key, of a byte or four, and (from 8 bytes on) the place they had. */
static int by_byte(const void *a, const void *b)
{
	signed char x = *(const signed char *)a, y = *(const signed char *)b;

	return (x > y) - (x < y);
}

static int by_key(const void *a, const void *b)
{
	int32_t x, y;

	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return (x > y) - (x < y);
}

typedef int order(const void *, const void *);

static order *order_of(size_t size)
{
	return size < 4 ? by_byte : by_key;
}

static const size_t sizes[] = { 1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 48, 64, 65, 200, 1500 };
static const size_t counts[] = { 0,   1,    2,    3,    4,    5,    6,    7,    8,    9,    31,
	                         32,  33,   37,   63,   64,   65,   96,   100,  257,  1000, 1023,
	                         1024, 1025, 1300, 2047, 2048, 2049, 8191, 8192, 8193, 9001 };

enum shape {
	RANDOM,
	FEW_KEYS,
	SORTED,
	REVERSED,
	REVERSED_PAIRS,
	EQUAL,
	SAWTOOTH,
	ORGAN_PIPE,
	NEARLY_SORTED,
	ROTATED,
	SHAPES
};

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
	case REVERSED_PAIRS:
		return (int32_t)((n - i) / 2);
	case SAWTOOTH:
		return (int32_t)(i % 300);
	case ORGAN_PIPE:
		return (int32_t)(i < n / 2 ? i : n - i);
	case NEARLY_SORTED:
		return (int32_t)(random % 64 ? i : random % n);
	case ROTATED:
		return (int32_t)((i + n / 3) % n);
	default:
		return 1;
	}
}

/* Memory as long as the items are, so that AddressSanitizer sees any step beside them. */
static char *items(enum shape shape, size_t n, size_t size)
{
	char *v = calloc(n ? n * size : 1, 1);

	for (size_t i = 0; i < n; i++) {
		int32_t k = key(shape, i, n), place = (int32_t)i;

		memcpy(v + i * size, &k, size < 4 ? size : 4);
		if (size >= 8)
			memcpy(v + i * size + 4, &place, 4);
	}
	return v;
}

/* In order, and equal keys in the order of their places. */
static void check_sorted(const char *v, size_t n, size_t size)
{
	for (size_t i = 1; i < n; i++) {
		const char *a = v + (i - 1) * size, *b = v + i * size;
		int c = order_of(size)(a, b);

		CHECK(c <= 0);
		if (c == 0 && size >= 8)
			CHECK(by_key(a + 4, b + 4) < 0);
	}
}

/* What all items are together, whatever their order. */
static uint64_t sum(const char *v, size_t n, size_t size)
{
	uint64_t total = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t hash = 14695981039346656037u;

		for (size_t j = 0; j < size; j++)
			hash = (hash ^ (unsigned char)v[i * size + j]) * 1099511628211u;
		total += hash;
	}
	return total;
}

static void sort_one(filch *rt, enum shape shape, size_t n, size_t size)
{
	char *v = items(shape, n, size);
	uint64_t before = sum(v, n, size);

	CHECK_EQ(filch_sort(rt, v, n, size, order_of(size)), 0);
	check_sorted(v, n, size);
	CHECK(sum(v, n, size) == before);
	free(v);
}

static void sort_shapes(void *rt)
{
	for (size_t shape = 0; shape < SHAPES; shape++) {
		sort_one(rt, (enum shape)shape, 20011, 8);
		for (size_t i = 0; i < LENGTH(counts); i++) {
			sort_one(rt, (enum shape)shape, counts[i], 4);
			sort_one(rt, (enum shape)shape, counts[i], 8);
		}
	}
}

Test(sort, every_shape_and_count_from_a_thread_in_a_task_and_serially)
{
	filch *rt = start();

	sort_shapes(rt);
	CHECK_EQ(filch_run(rt, sort_shapes, rt), 0);
	sort_shapes(NULL);
	stop(rt);
}

Test(sort, every_size_of_item)
{
	filch *rt = start();

	for (size_t i = 0; i < LENGTH(sizes); i++) {
		for (size_t shape = 0; shape < SHAPES; shape++) {
			sort_one(rt, (enum shape)shape, 100, sizes[i]);
			sort_one(rt, (enum shape)shape, 3000, sizes[i]);
		}
		sort_one(rt, FEW_KEYS, 20011, sizes[i]);
	}
	stop(rt);
}

/* Enough that the spare array is mapped and that merges are cut. */
#if defined(UNDER_TSAN) || defined(UNDER_ASAN)
#define MANY 100000
#else
#define MANY 1000000
#endif

Test(sort, many_items)
{
	static const unsigned pools[] = { 1, 2, 8 };

	for (size_t i = 0; i < LENGTH(pools); i++) {
		filch *rt = start_workers(pools[i]);

		sort_one(rt, i % 2 ? RANDOM : FEW_KEYS, MANY, 8);
		stop(rt);
	}
}

/* ---- comparisons that contradict themselves ---- */

static int greater(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return INT32_MAX;
}

static int less(const void *a, const void *b)
{
	(void)a;
	(void)b;
	return INT32_MIN;
}

static int by_chance(const void *a, const void *b)
{
	static long calls;
	uint32_t n = (uint32_t)add(&calls, 1) * 2654435761u;

	(void)a;
	(void)b;
	return (int)(n >> 16 & 3) - 1;
}

static int in_a_circle(const void *a, const void *b)
{
	int32_t x, y;

	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return (int)(((uint32_t)x + 3 - (uint32_t)y % 3) % 3) - 1;
}

Test(sort, no_item_is_lost_to_an_inconsistent_order)
{
	static order *const orders[] = { greater, less, by_chance, in_a_circle };
	filch *rt = start();

	for (size_t i = 0; i < LENGTH(orders) * LENGTH(counts) * LENGTH(sizes); i++) {
		size_t size = sizes[i % LENGTH(sizes)];
		size_t n = counts[i / LENGTH(sizes) % LENGTH(counts)];
		char *v;
		uint64_t before;

		if (size < 4 || size > 64)
			continue;
		v = items(FEW_KEYS, n, size);
		before = sum(v, n, size);
		CHECK_EQ(filch_sort(rt, v, n, size, orders[i / LENGTH(sizes) / LENGTH(counts)]), 0);
		CHECK(sum(v, n, size) == before);
		free(v);
	}
	stop(rt);
}

struct aligned {
	int64_t key __attribute__((aligned(64)));
};

static int by_aligned_key(const void *left, const void *right)
{
	const struct aligned *l = left, *r = right;

	CHECK(!((uintptr_t)l % 64) && !((uintptr_t)r % 64));
	return (l->key > r->key) - (l->key < r->key);
}

Test(sort, items_stay_aligned)
{
	size_t counts[] = { 15, 1000, 200000 };
	filch *rt = start();

	for (size_t i = 0; i < LENGTH(counts); i++) {
		struct aligned *v = aligned_alloc(64, counts[i] * sizeof(*v));

		for (size_t j = 0; j < counts[i]; j++)
			v[j].key = (int64_t)(j * 2654435761u % 1000);
		CHECK_EQ(filch_sort(rt, v, counts[i], sizeof(*v), by_aligned_key), 0);
		for (size_t j = 1; j < counts[i]; j++)
			CHECK(v[j - 1].key <= v[j].key);
		free(v);
	}
	stop(rt);
}

/* ---- errors ---- */

Test(sort, bad_arguments_are_errors)
{
	int32_t v[2] = { 2, 1 };

	CHECK_EQ(filch_sort(NULL, v, 2, 4, NULL), -EINVAL);
	CHECK_EQ(filch_sort(NULL, NULL, 2, 4, by_key), -EINVAL);
	CHECK_EQ(filch_sort(NULL, v, 2, 0, by_key), -EINVAL);
	CHECK_EQ(filch_sort(NULL, v, SIZE_MAX / 2, 4, by_key), -EINVAL);
	CHECK_EQ(filch_sort(NULL, v, SIZE_MAX / 4, 4, by_key), -EINVAL);
	CHECK_EQ(v[0], 2);
}

#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
/* Nothing more may be mapped: what is in order already needs no memory, and the rest stays as it is. */
Test(sort, without_memory_nothing_is_lost)
{
	size_t n = 4000000;
	struct rlimit none = { 1, 1 };
	char *v = items(RANDOM, n, 4), *sorted = items(SORTED, n, 4),
	     *fallen = items(REVERSED, n, 4);
	uint64_t before = sum(v, n, 4);
	int32_t first;

	memcpy(&first, v, 4);
	CHECK_EQ(setrlimit(RLIMIT_AS, &none), 0);
	errno = EDOM;
	CHECK_EQ(filch_sort(NULL, v, n, 4, by_key), -ENOMEM);
	CHECK_EQ(errno, EDOM);
	CHECK(!memcmp(v, &first, 4) && sum(v, n, 4) == before);
	CHECK_EQ(filch_sort(NULL, sorted, n, 4, by_key), 0);
	CHECK_EQ(filch_sort(NULL, fallen, n, 4, by_key), 0);
	check_sorted(fallen, n, 4);
	CHECK_EQ(filch_sort(NULL, v, 256, 4, by_key), 0);
	check_sorted(v, 256, 4);
}
#endif
