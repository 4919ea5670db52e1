/* SPDX-License-Identifier: MIT */
/*
 * A stable merge sort. The halves are sorted by two tasks, each into the array that the merge reads
 * from, so that nothing is copied back; and the merge of two long runs is cut in two at the middle
 * of the longer one (T. H. Cormen, C. E. Leiserson, R. L. Rivest and C. Stein, "Introduction to
 * Algorithms", 3rd edition, section 27.3), or else the last merge, over all items, would be one
 * worker's alone. What one worker does in one piece is in merge.c.
 *
 * The cut does not depend on a consistent order: wherever a binary search ends, each item is on one
 * side of it.
 *
 * The spare array is most of what a sort would wait for: a page fault costs as much as sorting some
 * 300 items. So it is asked for in huge pages, and each piece is committed at once by the worker
 * that sorts it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "include/filch.h"
#include "merge.h"
#include "populate.h"
#include "saved_errno.h"

#define RUN   8192       /* items to sort without a fork */
#define MERGE (4 * RUN)  /* items to merge without a fork */
#define FEW   1024       /* bytes that need no memory but the stack's */
#define ALIGN 64         /* as far as compare may count on it */
#define PAGE  4096       /* the least there is */
#define HUGE  (4L << 20) /* bytes from which on it pays to map huge pages */

FILCH_VOID_TASK(merge, frame, const struct order *, o, const char *, a, size_t, na, const char *, b,
                size_t, nb, char *, out)
{
	size_t ma = na / 2, mb = nb / 2;

	if (na + nb <= MERGE) {
		merge_runs(o, a, na, b, nb, out);
		return;
	}
	if (na >= nb)
		mb = merge_rank(o, b, nb, a + ma * o->size, false);
	else
		ma = merge_rank(o, a, na, b + mb * o->size, true);
	merge_fork(&frame, o, a + ma * o->size, na - ma, b + mb * o->size, nb - mb,
	           out + (ma + mb) * o->size);
	merge(frame, o, a, ma, b, mb, out);
	merge_join(&frame);
}

/* Commit the pages of a piece of the spare array, if there are some. */
static void commit(char *from, size_t n)
{
	uintptr_t first = (uintptr_t)from & ~(uintptr_t)(PAGE - 1);

	if (n >= PAGE)
		populate((void *)first, (uintptr_t)from + n - first);
}

/* Never inlined: the address of errno is the thread's, and a task that joins may change it. */
static __attribute__((noinline)) void sort_piece(const struct order *o, char *v, char *spare,
                                                 size_t n, bool elsewhere)
{
	commit(spare, n * o->size);
	merge_sort(o, v, spare, n, elsewhere);
}

FILCH_VOID_TASK(sort, frame, const struct order *, o, char *, v, char *, spare, size_t, n, bool,
                elsewhere)
{
	size_t half = n / 2, bytes = half * o->size;

	if (n <= RUN) {
		sort_piece(o, v, spare, n, elsewhere);
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

static void swap(char *a, char *b, size_t size)
{
	char some[64];

	for (size_t n; size; size -= n, a += n, b += n) {
		n = size < sizeof(some) ? size : sizeof(some);
		memcpy(some, a, n);
		memcpy(a, b, n);
		memcpy(b, some, n);
	}
}

/* Is it in order, or the other way round without equal items? Then it is in order afterwards. */
static bool sort_easily(const struct order *o, char *v, size_t n)
{
	bool falling = n > 1 && o->compare(v, v + o->size) > 0;
	char *last = v + (n - 1) * o->size;

	for (char *item = v; item != last; item += o->size) {
		if ((o->compare(item, item + o->size) > 0) != falling)
			return false;
	}
	for (char *first = v; falling && first < last; first += o->size, last -= o->size)
		swap(first, last, o->size);
	return true;
}

/* Never inlined: as above. */
static __attribute__((noinline)) char *spare_new(size_t bytes)
{
	int saved = errno;
	void *spare;

	if (bytes < HUGE) {
		spare = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
	} else {
		spare = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		             0);
		if (spare == MAP_FAILED)
			spare = NULL;
		else
			madvise(spare, bytes, MADV_HUGEPAGE);
	}
	restore_errno(saved);
	return spare;
}

static void spare_free(char *spare, size_t bytes)
{
	if (bytes < HUGE)
		free(spare);
	else
		munmap(spare, bytes);
}

int filch_sort(filch *rt, void *base, size_t n, size_t size,
               int (*compare)(const void *, const void *))
{
	struct order o = { size, compare };
	size_t bytes;
	char few[FEW] __attribute__((aligned(ALIGN))), *spare = few;

	if (!compare || (n && (!base || !size)) || __builtin_mul_overflow(n, size, &bytes) ||
	    bytes > PTRDIFF_MAX)
		return -EINVAL;
	if (n < 2 || sort_easily(&o, base, n))
		return 0;
	if (bytes > sizeof(few))
		spare = spare_new(bytes);
	if (!spare)
		return -ENOMEM;
	if (n <= RUN)
		sort_piece(&o, base, spare, n, false);
	else
		sort_run(rt, &o, base, spare, n, false);
	if (spare != few)
		spare_free(spare, bytes);
	return 0;
}
