/* SPDX-License-Identifier: MIT */
/*
 * nqueens: in how many ways can n queens stand on an n x n board without a threat? A task for each
 * queen placed, as in the Cilk suite. The board is passed by value: a task needs nothing of its
 * parent's stack.
 */
#ifndef BENCH_NQUEENS_H
#define BENCH_NQUEENS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { QUEENS_MAX = 16 };

struct board {
	uint64_t columns; /* of the queen in each row: four bits, those of row 0 the lowest */
};

static inline bool safe(const struct board *b, int row, int column)
{
	uint64_t columns = b->columns;

	for (int r = 0; r < row; r++, columns >>= 4) {
		int aside = abs((int)(columns & 15) - column);

		if (aside == 0 || aside == row - r)
			return false;
	}
	return true;
}

static inline struct board placed(struct board b, int row, int column)
{
	b.columns |= (uint64_t)column << (4 * row);
	return b;
}

#endif
