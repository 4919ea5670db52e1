/* SPDX-License-Identifier: MIT */
/*
 * A stable merge sort for one worker.
 *
 * What a merge does next depends on a comparison that no branch predictor can foresee, so there is
 * no branch on it: which item to copy and which run to advance are computed. Then each step waits
 * for the step before, through a call of the caller's function and two loads. So a merge goes from
 * both ends at once, the lowest items upwards and the highest downwards, and two merges go side by
 * side: four chains of steps that do not wait for each other and overlap in the processor. Where
 * there are not two merges, one is cut in two. It also needs no look at the runs' ends: as many
 * steps as the shorter run has items cannot leave either, from either end (S. van den Hoven,
 * "quadsort", calls this a parity merge); what is left goes the same way.
 *
 * The two ends meet if the order is consistent. If it is not, they may take an item twice, or none
 * of them: then they have crossed in a run, and the merge is done again by a simple loop that is
 * right for any comparison (in that every item comes out once). Neither ever reads outside of the
 * runs.
 */
#include "merge.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 1024 /* items to sort from the bottom up: of 4 bytes, all in the first cache */
#define LONG  128  /* items of the shorter run, from which on a merge is worth cutting */

/* As often true as not, so that compilers make no branch of it. */
#define EVEN(condition) __builtin_expect_with_probability(condition, 1, 0.5)

size_t merge_rank(const struct order *o, const char *v, size_t n, const char *item,
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

/* The kernels are compiled once more for each common size: then copying an item is a move. */
#define KERNEL static inline __attribute__((always_inline))
#define BY_SIZE(kernel, o, ...) \
	do { \
		if ((o)->size == 4) \
			kernel(o, 4, __VA_ARGS__); \
		else if ((o)->size == 8) \
			kernel(o, 8, __VA_ARGS__); \
		else if ((o)->size == 16) \
			kernel(o, 16, __VA_ARGS__); \
		else \
			kernel(o, (o)->size, __VA_ARGS__); \
	} while (0)

/*
 * gcc has (l > r) - (l < r) write to a part of rdx, which then waits for what was in it before: here
 * the outcome of another chain.
 */
KERNEL void break_chain(void)
{
#ifdef __x86_64__
	__asm__ volatile("xorl %%edx, %%edx" ::: "rdx", "cc");
#endif
}

KERNEL bool after(const struct order *o, const char *a, const char *b)
{
	break_chain();
	return o->compare(a, b) > 0;
}

/* The second one, if so; without a branch, which compilers would make of a condition. */
KERNEL const char *pick(bool second, const char *x, const char *y)
{
	return x + (-(ptrdiff_t)second & (y - x));
}

/*
 * Copies the second one, if so, else the first. Of what fits a register both are loaded and one is
 * kept: fewer instructions than a choice between addresses.
 */
KERNEL void copy(size_t size, char *to, bool second, const char *x, const char *y)
{
	uint64_t first = 0, other = 0;

	if (!__builtin_constant_p(size) || size > sizeof(first)) {
		memcpy(to, pick(second, x, y), size);
		return;
	}
	memcpy(&first, x, size);
	memcpy(&other, y, size);
	first = EVEN(second) ? other : first;
	memcpy(to, &first, size);
}

/* What is left of a merge; ends lie behind the last item. */
struct merge {
	const char *a, *a_end, *b, *b_end;
	char *out, *out_end;
};

static bool finished(const struct merge *m)
{
	return m->a == m->a_end && m->b == m->b_end;
}

/* Bytes of the shorter run. */
static ptrdiff_t shorter(const struct merge *m)
{
	ptrdiff_t na = m->a_end - m->a, nb = m->b_end - m->b;

	return na < nb ? na : nb;
}

/* For a while the ends of m are the last items. */
KERNEL struct merge to_last(const struct merge *m, size_t size)
{
	return (struct merge){ m->a,   m->a_end - size,  m->b, m->b_end - size,
		               m->out, m->out_end - size };
}

KERNEL struct merge from_last(const struct merge *m, size_t size, ptrdiff_t done)
{
	return (struct merge){ m->a,          m->a_end + size,         m->b, m->b_end + size,
		               m->out + done, m->out_end + size - done };
}

/* The lowest item, and the highest; done bytes have gone to each end of out. */
KERNEL void step(const struct order *o, size_t size, struct merge *m, ptrdiff_t done)
{
	bool second = after(o, m->a, m->b);

	copy(size, m->out + done, second, m->a, m->b);
	m->a += !second * size;
	m->b += second * size;
	second = after(o, m->a_end, m->b_end);
	copy(size, m->out_end - done, second, m->b_end, m->a_end);
	m->a_end -= second * size;
	m->b_end -= !second * size;
}

/* As many steps from each end as the shorter run has items. */
KERNEL void merge_both_ends(const struct order *o, size_t size, struct merge *whole)
{
	struct merge m = to_last(whole, size);
	ptrdiff_t n = shorter(whole);

	for (ptrdiff_t done = 0; done < n; done += (ptrdiff_t)size)
		step(o, size, &m, done);
	*whole = from_last(&m, size, n);
}

/* The same with two, or with as few as either allows. */
KERNEL void merge_four_ends(const struct order *o, size_t size, struct merge *x, struct merge *y)
{
	struct merge mx = to_last(x, size), my = to_last(y, size);
	ptrdiff_t nx = shorter(x), ny = shorter(y), n = nx < ny ? nx : ny;

	for (ptrdiff_t done = 0; done < n; done += (ptrdiff_t)size) {
		step(o, size, &mx, done);
		step(o, size, &my, done);
	}
	*x = from_last(&mx, size, n);
	*y = from_last(&my, size, n);
}

/* Right for any comparison. */
KERNEL void merge_simply(const struct order *o, size_t size, struct merge m)
{
	while (m.a != m.a_end && m.b != m.b_end) {
		bool second = after(o, m.a, m.b);

		copy(size, m.out, second, m.a, m.b);
		m.out += size;
		m.a += !second * size;
		m.b += second * size;
	}
	memcpy(m.out, m.a, (size_t)(m.a_end - m.a));
	memcpy(m.out + (m.a_end - m.a), m.b, (size_t)(m.b_end - m.b));
}

/* Whose ends have crossed is not ordered: all of it again. */
KERNEL void rest_kernel(const struct order *o, size_t size, const struct merge *whole,
                        struct merge m)
{
	while (m.a < m.a_end && m.b < m.b_end)
		merge_both_ends(o, size, &m);
	if (m.a > m.a_end || m.b > m.b_end) {
		merge_simply(o, size, *whole);
		return;
	}
	memcpy(m.out, m.a, (size_t)(m.a_end - m.a));
	memcpy(m.out, m.b, (size_t)(m.b_end - m.b));
}

/* What is left of the whole. */
static __attribute__((noinline)) void merge_rest(const struct order *o, const struct merge *whole,
                                                 const struct merge *left)
{
	BY_SIZE(rest_kernel, o, whole, *left);
}

/* Side by side, for as long as both have enough; then one after the other. */
static __attribute__((noinline)) void merge_two(const struct order *o, const struct merge *x,
                                                const struct merge *y)
{
	struct merge left[2] = { *x, *y };

	BY_SIZE(merge_four_ends, o, &left[0], &left[1]);
	if (!finished(&left[0]))
		merge_rest(o, x, &left[0]);
	if (!finished(&left[1]))
		merge_rest(o, y, &left[1]);
}

/* Cut at the middle of a. */
static void merge_as_two(const struct order *o, const struct merge *m)
{
	size_t na = (size_t)(m->a_end - m->a) / o->size / 2;
	size_t nb = (size_t)(m->b_end - m->b) / o->size;
	struct merge low = *m, high = *m;

	nb = merge_rank(o, m->b, nb, m->a + na * o->size, false);
	high.a = low.a_end = m->a + na * o->size;
	high.b = low.b_end = m->b + nb * o->size;
	high.out = low.out_end = m->out + (na + nb) * o->size;
	merge_two(o, &low, &high);
}

static void merge_one(const struct order *o, const struct merge *m)
{
	if ((size_t)shorter(m) < LONG * o->size)
		merge_rest(o, m, m);
	else
		merge_as_two(o, m);
}

/* Four items, with five comparisons. */
KERNEL void sort_four(const struct order *o, size_t size, const char *v, char *out)
{
	bool x = after(o, v, v + size), y = after(o, v + 2 * size, v + 3 * size);
	const char *a = v + x * size, *b = v + !x * size; /* in order */
	const char *c = v + (2 + y) * size, *d = v + (3 - y) * size;
	const char *left, *right;

	x = after(o, a, c);
	y = after(o, b, d);
	memcpy(out, pick(x, a, c), size);
	memcpy(out + 3 * size, pick(y, d, b), size);
	left = pick(x, pick(y, b, c), a); /* in the order that they had */
	right = pick(y, pick(x, c, b), d);
	x = after(o, left, right);
	memcpy(out + size, pick(x, left, right), size);
	memcpy(out + 2 * size, pick(x, right, left), size);
}

/* One to three. */
KERNEL void sort_fewer(const struct order *o, size_t size, const char *v, size_t n, char *out)
{
	bool x = n > 1 && after(o, v, v + size);
	const char *a = v + x * size, *b = v + !x * size, *c = v + 2 * size;
	size_t place = 2; /* of c */

	if (n == 3 && after(o, b, c))
		place = after(o, a, c) ? 0 : 1;
	memcpy(out + (place == 0) * size, a, size);
	if (n > 1)
		memcpy(out + (1 + (place <= 1)) * size, b, size);
	if (n > 2)
		memcpy(out + place * size, c, size);
}

/* Runs of four. */
KERNEL void sort_fours(const struct order *o, size_t size, const char *v, size_t n, char *out)
{
	size_t i;

	for (i = 0; i + 4 <= n; i += 4)
		sort_four(o, size, v + i * size, out + i * size);
	if (i < n)
		sort_fewer(o, size, v + i * size, n - i, out + i * size);
}

/* The two runs of width items from the i-th of n on, or what there is of them. */
static struct merge pair(const struct order *o, const char *from, char *to, size_t i, size_t width,
                         size_t n)
{
	size_t middle = i + width < n ? i + width : n;
	size_t end = middle + width < n ? middle + width : n;

	return (struct merge){ from + i * o->size,      from + middle * o->size,
		               from + middle * o->size, from + end * o->size,
		               to + i * o->size,        to + end * o->size };
}

/* All runs of width items. */
static void merge_pairs(const struct order *o, const char *from, char *to, size_t width, size_t n)
{
	for (size_t i = 0; i < n; i += 4 * width) {
		struct merge x = pair(o, from, to, i, width, n), y;

		if (i + 2 * width >= n) {
			merge_one(o, &x);
			return;
		}
		y = pair(o, from, to, i + 2 * width, width, n);
		merge_two(o, &x, &y);
	}
}

/* Up to BLOCK items of v, which end in out: v or spare. */
static void sort_block(const struct order *o, char *v, char *spare, size_t n, const char *out)
{
	char *from = spare, *to = v, *other;

	BY_SIZE(sort_fours, o, v, n, spare);
	for (size_t width = 4; width < n; width *= 2) {
		merge_pairs(o, from, to, width, n);
		other = from;
		from = to;
		to = other;
	}
	if (from != out)
		memcpy(to, from, n * o->size);
}

void merge_runs(const struct order *o, const char *a, size_t na, const char *b, size_t nb,
                char *out)
{
	size_t a_bytes = na * o->size, b_bytes = nb * o->size;
	const char *a_end = a + a_bytes, *b_end = b + b_bytes;

	if (!na || !nb || !after(o, a_end - o->size, b)) {
		memcpy(out, a, a_bytes);
		memcpy(out + a_bytes, b, b_bytes);
	} else if (after(o, a, b_end - o->size)) {
		memcpy(out, b, b_bytes);
		memcpy(out + b_bytes, a, a_bytes);
	} else {
		merge_one(o, &(struct merge){ a, a_end, b, b_end, out, out + a_bytes + b_bytes });
	}
}

void merge_sort(const struct order *o, char *v, char *spare, size_t n, bool elsewhere)
{
	size_t half = (n / 2 + BLOCK - 1) / BLOCK * BLOCK, bytes = half * o->size;

	if (n <= BLOCK) {
		sort_block(o, v, spare, n, elsewhere ? spare : v);
		return;
	}
	merge_sort(o, v, spare, half, !elsewhere);
	merge_sort(o, v + bytes, spare + bytes, n - half, !elsewhere);
	if (elsewhere)
		merge_runs(o, v, half, v + bytes, n - half, spare);
	else
		merge_runs(o, spare, half, spare + bytes, n - half, v);
}
