/* SPDX-License-Identifier: MIT */
/*
 * uts: count the nodes of an unbalanced tree. How many children a node has follows from its SHA-1
 * state, and a child's state from its parent's and its number, so that nobody can tell where the
 * work is before it is done.
 *
 * Olivier and others, "UTS: An Unbalanced Tree Search Benchmark", LCPC 2006. T1 (size 1) is
 * geometric: 4 children expected down to depth 10, root seed 19. T3 (size 3) is binomial: 2,000
 * below the root, then 8 with probability 0.124875 and none otherwise, root seed 42: most subtrees
 * are tiny, a few are huge and 1,500 deep.
 */
#ifndef BENCH_UTS_H
#define BENCH_UTS_H

#include "sha1.h"

#include <math.h>
#include <stdint.h>

struct node {
	uint32_t state[SHA1_WORDS];
	int depth;
};

static inline struct node uts_root(long tree)
{
	const uint32_t seed[5] = { 0, 0, 0, 0, tree == 1 ? 19u : 42u };
	struct node root;

	sha1(seed, 5, root.state);
	root.depth = 0;
	return root;
}

static inline struct node uts_child(const struct node *parent, int number)
{
	uint32_t message[SHA1_WORDS + 1];
	struct node child;

	memcpy(message, parent->state, sizeof parent->state);
	message[SHA1_WORDS] = (uint32_t)number;
	sha1(message, SHA1_WORDS + 1, child.state);
	child.depth = parent->depth + 1;
	return child;
}

static inline int uts_children(long tree, const struct node *n)
{
	double chance = (n->state[4] & 0x7fffffff) / 2147483648.0; /* uniform in [0, 1) */

	if (tree == 3)
		return n->depth == 0 ? 2000 : chance < 0.124875 ? 8 : 0;
	if (n->depth >= 10)
		return 0;
	return (int)floor(log(1 - chance) / log(1 - 1 / (1 + 4.0)));
}

#endif
