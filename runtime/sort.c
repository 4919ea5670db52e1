/* SPDX-License-Identifier: MIT */
/*
 * A stable merge sort. The halves are sorted by two tasks, each into the array that the merge reads
 * from, so that nothing is copied back; and the merge of two long runs is cut in two at the middle
 * of the longer one (T. H. Cormen, C. E. Leiserson, R. L. Rivest and C. Stein, "Introduction to
 * Algorithms", 3rd edition, section 27.3), or else the last merge, over all items, would be one
 * worker's alone.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "include/filch.h"
#include "saved_errno.h"

#define FEW   8         /* items to sort by insertion */
#define SMALL 64        /* bytes of an item that is; larger ones are only merged */
#define RUN   4096      /* items to sort without a fork */
#define MERGE (2 * RUN) /* items to merge without a fork */

struct order {
	size_t size;
	int (*compare)(const void *, const void *);
};

/* The kernels are compiled once more for each common size: then copying an item is a move. */
#define KERNEL static inline __attribute__((always_inline))

KERNEL void insertion(const struct order *o, size_t size, char *v, size_t n)
{
	char item[SMALL];

	for (size_t i = 1; i < n; i++) {
		size_t j = i;

		memcpy(item, v + i * size, size);
		for (; j && o->compare(v + (j - 1) * size, item) > 0; j--)
			memcpy(v + j * size, v + (j - 1) * size, size);
		memcpy(v + j * size, item, size);
	}
}

/* Merge a and b into out; of equal items those of a come first. */
KERNEL void merge_runs(const struct order *o, size_t size, const char *a, size_t na, const char *b,
                       size_t nb, char *out)
{
	const char *a_end = a + na * size, *b_end = b + nb * size;

	while (a != a_end && b != b_end) {
		bool second = o->compare(a, b) > 0;

		memcpy(out, second ? b : a, size);
		out += size;
		a += second ? 0 : size;
		b += second ? size : 0;
	}
	memcpy(out, a, (size_t)(a_end - a));
	memcpy(out + (a_end - a), b, (size_t)(b_end - b));
}

static void insert_few(const struct order *o, char *v, size_t n)
{
	if (o->size == 4)
		insertion(o, 4, v, n);
	else if (o->size == 8)
		insertion(o, 8, v, n);
	else
		insertion(o, o->size, v, n);
}

static void merge_all(const struct order *o, const char *a, size_t na, const char *b, size_t nb,
                      char *out)
{
	if (o->size == 4)
		merge_runs(o, 4, a, na, b, nb, out);
	else if (o->size == 8)
		merge_runs(o, 8, a, na, b, nb, out);
	else
		merge_runs(o, o->size, a, na, b, nb, out);
}

/* How many of v's n items come before item: those below it, and (after_equal) those equal to it. */
static size_t rank(const struct order *o, const char *v, size_t n, const char *item,
                   bool after_equal)
{
	size_t low = 0;

	while (n) {
		size_t half = n / 2;
		int c = o->compare(v + (low + half) * o->size, item);

		if (c < 0 || (c == 0 && after_equal)) {
			low += half + 1;
			n -= half + 1;
		} else {
			n = half;
		}
	}
	return low;
}

FILCH_VOID_TASK(merge, frame, const struct order *, o, const char *, a, size_t, na, const char *, b,
                size_t, nb, char *, out)
{
	size_t ma = na / 2, mb = nb / 2;

	if (na + nb <= MERGE) {
		merge_all(o, a, na, b, nb, out);
		return;
	}
	if (na >= nb)
		mb = rank(o, b, nb, a + ma * o->size, false);
	else
		ma = rank(o, a, na, b + mb * o->size, true);
	merge_fork(&frame, o, a + ma * o->size, na - ma, b + mb * o->size, nb - mb,
	           out + (ma + mb) * o->size);
	merge(frame, o, a, ma, b, mb, out);
	merge_join(&frame);
}

/* Sort n items of v, which end in v, or (elsewhere) in spare; the other one is overwritten. */
static void sort_serially(const struct order *o, char *v, char *spare, size_t n, bool elsewhere)
{
	size_t half = n / 2;

	if (n <= 1 || (n <= FEW && o->size <= SMALL)) {
		if (n > 1)
			insert_few(o, v, n);
		if (elsewhere)
			memcpy(spare, v, n * o->size);
		return;
	}
	sort_serially(o, v, spare, half, !elsewhere);
	sort_serially(o, v + half * o->size, spare + half * o->size, n - half, !elsewhere);
	if (elsewhere)
		merge_all(o, v, half, v + half * o->size, n - half, spare);
	else
		merge_all(o, spare, half, spare + half * o->size, n - half, v);
}

FILCH_VOID_TASK(sort, frame, const struct order *, o, char *, v, char *, spare, size_t, n, bool,
                elsewhere)
{
	size_t half = n / 2, bytes = half * o->size;

	if (n <= RUN) {
		sort_serially(o, v, spare, n, elsewhere);
		return;
	}
	sort_fork(&frame, o, v + bytes, spare + bytes, n - half, !elsewhere);
	sort(frame, o, v, spare, half, !elsewhere);
	sort_join(&frame);
	if (elsewhere)
		merge(frame, o, v, half, v + bytes, n - half, spare);
	else
		merge(frame, o, spare, half, spare + bytes, n - half, v);
}

int filch_sort(filch *rt, void *base, size_t n, size_t size,
               int (*compare)(const void *, const void *))
{
	struct order o = { size, compare };
	int saved = errno;
	size_t bytes;
	char *spare;

	if (!compare || (n && (!base || !size)) || __builtin_mul_overflow(n, size, &bytes))
		return -EINVAL;
	if (n < 2)
		return 0;
	spare = malloc(bytes);
	restore_errno(saved);
	if (!spare)
		return -ENOMEM;
	if (n <= RUN)
		sort_serially(&o, base, spare, n, false);
	else
		sort_run(rt, &o, base, spare, n, false);
	free(spare);
	return 0;
}
