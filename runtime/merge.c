/* SPDX-License-Identifier: MIT */
/*
 * A stable merge sort for one worker.
 *
 * What a merge does next depends on a comparison that no branch predictor can foresee, so there is
 * no branch on it: which item to copy and which run to advance are computed. Then each step waits
 * for the step before, through a call of the caller's function and two loads. So a merge goes from
 * both ends at once, the lowest items upwards and the highest downwards: two chains of steps that
 * do not wait for each other and overlap in the processor. It also needs no look at the runs' ends:
 * as many steps as the shorter run has items cannot leave either, from either end (S. van den
 * Hoven, "quadsort", calls this a parity merge); what is left goes the same way.
 *
 * The two ends meet if the order is consistent. If it is not, they may take an item twice, or none
 * of them: then they have crossed in a run, and the merge is done again by a simple loop that is
 * right for any comparison (in that every item comes out once). Neither ever reads outside of the
 * runs.
 */
#include "merge.h"

#include <stdint.h>
#include <string.h>

#define BLOCK 32 /* items to sort from the bottom up */

/* As often true as not, so that compilers make no branch of it. */
#define EVEN(condition) __builtin_expect_with_probability(condition, 1, 0.5)

/* The kernels are compiled once more for each common size: then copying an item is a move. */
#define KERNEL static inline __attribute__((always_inline))

KERNEL bool after(const struct order *o, const char *a, const char *b)
{
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

/* As many steps from each end as the shorter run has items. */
KERNEL void merge_both_ends(const struct order *o, size_t size, struct merge *m)
{
	ptrdiff_t na = m->a_end - m->a, nb = m->b_end - m->b, n = na < nb ? na : nb;
	const char *a = m->a, *b = m->b, *last_a = m->a_end - size, *last_b = m->b_end - size;

	for (ptrdiff_t i = 0; i < n; i += (ptrdiff_t)size) {
		bool second = after(o, a, b);

		copy(size, m->out + i, second, a, b);
		a += !second * size;
		b += second * size;
		second = after(o, last_a, last_b);
		copy(size, m->out_end - size - i, second, last_b, last_a);
		last_a -= second * size;
		last_b -= !second * size;
	}
	*m = (struct merge){ a, last_a + size, b, last_b + size, m->out + n, m->out_end - n };
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

KERNEL void merge_kernel(const struct order *o, size_t size, struct merge whole)
{
	struct merge m = whole;

	while (m.a < m.a_end && m.b < m.b_end)
		merge_both_ends(o, size, &m);
	if (m.a > m.a_end || m.b > m.b_end) {
		merge_simply(o, size, whole);
		return;
	}
	memcpy(m.out, m.a, (size_t)(m.a_end - m.a));
	memcpy(m.out, m.b, (size_t)(m.b_end - m.b));
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

/* Up to BLOCK items of v, which end in out: v or spare. */
KERNEL void block_kernel(const struct order *o, size_t size, char *v, char *spare, size_t n,
                         char *out)
{
	char *from = spare, *to = v, *other;
	size_t i;

	for (i = 0; i + 4 <= n; i += 4)
		sort_four(o, size, v + i * size, spare + i * size);
	if (i < n)
		sort_fewer(o, size, v + i * size, n - i, spare + i * size);
	for (size_t width = 4; width < n; width *= 2) {
		for (i = 0; i < n; i += 2 * width) {
			size_t middle = i + width < n ? i + width : n;
			size_t end = middle + width < n ? middle + width : n;

			merge_kernel(o, size,
			             (struct merge){ from + i * size, from + middle * size,
			                             from + middle * size, from + end * size,
			                             to + i * size, to + end * size });
		}
		other = from;
		from = to;
		to = other;
	}
	if (from != out)
		memcpy(out, from, n * size);
}

static void sort_block(const struct order *o, char *v, char *spare, size_t n, char *out)
{
	if (o->size == 4)
		block_kernel(o, 4, v, spare, n, out);
	else if (o->size == 8)
		block_kernel(o, 8, v, spare, n, out);
	else if (o->size == 16)
		block_kernel(o, 16, v, spare, n, out);
	else
		block_kernel(o, o->size, v, spare, n, out);
}

static void merge_sized(const struct order *o, struct merge m)
{
	if (o->size == 4)
		merge_kernel(o, 4, m);
	else if (o->size == 8)
		merge_kernel(o, 8, m);
	else if (o->size == 16)
		merge_kernel(o, 16, m);
	else
		merge_kernel(o, o->size, m);
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
		merge_sized(o, (struct merge){ a, a_end, b, b_end, out, out + a_bytes + b_bytes });
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
