/* SPDX-License-Identifier: MIT */
/*
 * What filch_sort does in one piece: merging two runs, and sorting a few thousand items.
 */
#ifndef MERGE_H
#define MERGE_H

#include <stdbool.h>
#include <stddef.h>

struct order {
	size_t size; /* bytes of an item */
	int (*compare)(const void *, const void *);
};

/*
 * How many of v's n items, which are sorted, come before item: those below it, and (after_equal)
 * those equal to it.
 */
size_t merge_rank(const struct order *o, const char *v, size_t n, const char *item,
                  bool after_equal);

/* Merge a and b, both sorted and in one array, into out; of equal items those of a come first. */
void merge_runs(const struct order *o, const char *a, size_t na, const char *b, size_t nb,
                char *out);

/* Sort n items of v, which end in v, or (elsewhere) in spare; the other one is overwritten. */
void merge_sort(const struct order *o, char *v, char *spare, size_t n, bool elsewhere);

#endif
