/* SPDX-License-Identifier: MIT */
/*
 * nqueens: in how many ways can n queens stand on an n x n board without a threat? A task for each
 * queen placed, as in the Cilk suite. The board is passed by value: a task needs nothing of its
 * parent's stack.
 */
#ifndef BENCH_NQUEENS_H
#define BENCH_NQUEENS_H

#include <stdbool.h>
#include <stdlib.h>

enum { QUEENS_MAX = 16 };

struct board {
	signed char column[QUEENS_MAX]; /* of the queen in each row */
};

/* May the queen of row `row` stand in `column`, with those of the rows above as they are? */
static inline bool safe(const struct board *b, int row, int column)
{
	for (int r = 0; r < row; r++) {
		int aside = abs(b->column[r] - column);

		if (aside == 0 || aside == row - r)
			return false;
	}
	return true;
}

static inline struct board placed(struct board b, int row, int column)
{
	b.column[row] = (signed char)column;
	return b;
}

#endif
