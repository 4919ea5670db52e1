/* SPDX-License-Identifier: MIT */
#include "plain.h"
#include "forkjoin/integrate.h"
#include "forkjoin/matmul.h"
#include "forkjoin/nqueens.h"
#include "forkjoin/sort.h"
#include "forkjoin/uts.h"

/* ---- fib ------------------------------------------------------------------------------------ */

struct fib {
	struct work work;
	long n, result;
};

static void fib(struct work *work)
{
	struct fib *f = (struct fib *)work, left, right;

	if (f->n < 2) {
		f->result = f->n;
		return;
	}
	left.n = f->n - 1;
	right.n = f->n - 2;
	work_fork(&left.work, fib);
	fib(&right.work);
	work_join(&left.work);
	f->result = left.result + right.result;
}

uint64_t plain_fib(struct bench_run *run)
{
	struct fib f = { .n = run->size };

	work_run(&f.work, fib);
	return (uint64_t)f.result;
}

/* ---- nqueens -------------------------------------------------------------------------------- */

struct queens {
	struct work work;
	struct board board;
	int row, n;
	long result;
};

static void nqueens(struct work *work)
{
	struct queens *q = (struct queens *)work, next[QUEENS_MAX];
	int forked = 0;

	q->result = q->row == q->n;
	if (q->result)
		return;
	for (int column = 0; column < q->n; column++) {
		if (!safe(&q->board, q->row, column))
			continue;
		next[forked].board = placed(q->board, q->row, column);
		next[forked].row = q->row + 1;
		next[forked].n = q->n;
		work_fork(&next[forked++].work, nqueens);
	}
	while (forked-- > 0) {
		work_join(&next[forked].work);
		q->result += next[forked].result;
	}
}

uint64_t plain_nqueens(struct bench_run *run)
{
	struct queens q = { .row = 0, .n = (int)run->size };

	work_run(&q.work, nqueens);
	return (uint64_t)q.result;
}

/* ---- integrate ------------------------------------------------------------------------------ */

struct interval {
	struct work work;
	double x1, y1, x2, y2, area;
};

static void integrate(struct work *work)
{
	struct interval *v = (struct interval *)work;
	struct halves h = halve(v->x1, v->y1, v->x2, v->y2);
	struct interval left = { .x1 = v->x1, .y1 = v->y1, .x2 = h.x, .y2 = h.y, .area = h.left };
	struct interval right = { .x1 = h.x, .y1 = h.y, .x2 = v->x2, .y2 = v->y2, .area = h.right };

	if (close_enough(h, v->area)) {
		v->area = h.left + h.right;
		return;
	}
	work_fork(&left.work, integrate);
	integrate(&right.work);
	work_join(&left.work);
	v->area = left.area + right.area;
}

uint64_t plain_integrate(struct bench_run *run)
{
	double n = (double)run->size;
	struct interval v = { .x1 = 0, .y1 = 0, .x2 = n, .y2 = height(n), .area = 0 };

	work_run(&v.work, integrate);
	return whole(v.area);
}

/* ---- skynet --------------------------------------------------------------------------------- */

struct skynet {
	struct work work;
	uint64_t number, leaves; /* number becomes the sum */
};

static void skynet(struct work *work)
{
	struct skynet *s = (struct skynet *)work, child[10];

	if (s->leaves == 1)
		return;
	for (unsigned i = 0; i < 10; i++) {
		child[i].leaves = s->leaves / 10;
		child[i].number = s->number + i * child[i].leaves;
		work_fork(&child[i].work, skynet);
	}
	s->number = 0;
	for (unsigned i = 10; i-- > 0;) {
		work_join(&child[i].work);
		s->number += child[i].number;
	}
}

uint64_t plain_skynet(struct bench_run *run)
{
	struct skynet s = { .number = 0, .leaves = (uint64_t)run->size };

	work_run(&s.work, skynet);
	return s.number;
}

/* ---- uts ------------------------------------------------------------------------------------ */

struct tree {
	struct work work;
	struct node node;
	long which;
	uint64_t nodes;
};

static void uts(struct work *work)
{
	struct tree *t = (struct tree *)work;
	int children = uts_children(t->which, &t->node);

	t->nodes = 1;
	if (children > 0) {
		struct tree child[children];

		for (int i = 0; i < children; i++) {
			child[i].node = uts_child(&t->node, i);
			child[i].which = t->which;
			work_fork(&child[i].work, uts);
		}
		for (int i = children; i-- > 0;) {
			work_join(&child[i].work);
			t->nodes += child[i].nodes;
		}
	}
}

uint64_t plain_uts(struct bench_run *run)
{
	struct tree t = { .node = uts_root(run->size), .which = run->size };

	work_run(&t.work, uts);
	return t.nodes;
}

/* ---- matmul --------------------------------------------------------------------------------- */

struct product {
	struct work work;
	struct blocks blocks;
	long size, n;
};

static struct product part(const struct product *p, int i, int j, int k)
{
	long h = p->size / 2;
	struct product q = { .blocks = quadrant(p->blocks, i, j, k, h, p->n),
		             .size = h,
		             .n = p->n };

	return q;
}

static void matmul(struct work *work)
{
	const struct product *p = (const struct product *)work;

	if (p->size == MATMUL_LEAF) {
		matmul_leaf(p->blocks, p->n);
		return;
	}
	for (int k = 0; k < 2; k++) {
		struct product q[4];

		for (int i = 0; i < 4; i++)
			q[i] = part(p, i / 2, i % 2, k);
		for (int i = 3; i > 0; i--)
			work_fork(&q[i].work, matmul);
		matmul(&q[0].work);
		for (int i = 1; i < 4; i++)
			work_join(&q[i].work);
	}
}

uint64_t plain_matmul(struct bench_run *run)
{
	struct product p = { .blocks = { matmul_c, matmul_a, matmul_b },
		             .size = run->size,
		             .n = run->size };

	work_run(&p.work, matmul);
	return 0;
}

/* ---- sort ----------------------------------------------------------------------------------- */

struct sort {
	struct work work;
	int *v, *spare;
	size_t n;
};

static void sort(struct work *work)
{
	const struct sort *s = (const struct sort *)work;
	size_t half = s->n / 2;
	struct sort left = { .v = s->v, .spare = s->spare, .n = half };
	struct sort right = { .v = s->v + half, .spare = s->spare + half, .n = s->n - half };

	if (s->n <= SORT_LEAF) {
		sort_leaf(s->v, s->n);
		return;
	}
	work_fork(&left.work, sort);
	sort(&right.work);
	work_join(&left.work);
	sort_merge(s->v, s->spare, s->n);
}

uint64_t plain_sort(struct bench_run *run)
{
	struct sort s = { .v = sort_data, .spare = sort_spare, .n = (size_t)run->size };

	work_run(&s.work, sort);
	return 0;
}
