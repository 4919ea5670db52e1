/* SPDX-License-Identifier: MIT */
/*
 * Loops over a range, by halving: the right half is forked, the left one is done at once. A private
 * fork costs about a nanosecond, so the range is cut fine whether or not anybody comes to take a
 * part; the oldest fork, which a thief gets, is half of all that is left. That is splitting on
 * demand, with the demand left to fork.c.
 *
 * A range is cut into leaves of grain iterations. An automatic grain makes 64 leaves a worker, so
 * that a loop whose cost lies at one end still balances, but no leaf longer than MOST, so that one
 * whose cost lies in one spot does too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/filch.h"
#include "saved_errno.h"

#define LEAVES_A_WORKER 64
#define MOST            4096

struct loop {
	size_t begin, end, grain;
	filch_range_fn *body;
	void *arg;
	const struct filch_reducer *op;
	char *acc;     /* a partial result for each leaf */
	size_t stride; /* bytes from one to the next */
};

static size_t automatic(filch *rt, size_t n, size_t most)
{
	unsigned workers = filch_workers(rt);
	size_t grain = n / (LEAVES_A_WORKER * (size_t)(workers ? workers : 1));

	if (grain > most)
		grain = most;
	return grain ? grain : 1;
}

static size_t leaves(const struct loop *l)
{
	size_t n = l->end - l->begin;

	return n / l->grain + (n % l->grain != 0);
}

static size_t leaf_begin(const struct loop *l, size_t leaf)
{
	return l->begin + leaf * l->grain;
}

static size_t leaf_end(const struct loop *l, size_t leaf)
{
	size_t left = l->end - leaf_begin(l, leaf);

	return leaf_begin(l, leaf) + (left < l->grain ? left : l->grain);
}

/* Leaves first to last - 1. */
FILCH_VOID_TASK(span, frame, const struct loop *, l, size_t, first, size_t, last)
{
	size_t middle = first + (last - first) / 2;

	if (last - first == 1) {
		l->body(leaf_begin(l, first), leaf_end(l, first), l->arg);
		return;
	}
	span_fork(&frame, l, middle, last);
	span(frame, l, first, middle);
	span_join(&frame);
}

void filch_for(filch *rt, size_t begin, size_t end, size_t grain, filch_range_fn *body, void *arg)
{
	struct loop l = { .begin = begin, .end = end, .grain = grain, .body = body, .arg = arg };

	if (begin >= end || !body)
		return;
	if (!grain)
		l.grain = automatic(rt, end - begin, MOST);
	if (l.grain >= end - begin)
		body(begin, end, arg);
	else
		span_run(rt, &l, 0, leaves(&l));
}

/* The same, with the result of each part in the place of its first leaf. */
FILCH_VOID_TASK(fold, frame, const struct loop *, l, size_t, first, size_t, last)
{
	size_t middle = first + (last - first) / 2;
	char *acc = l->acc + first * l->stride;

	if (last - first == 1) {
		l->op->init(acc, l->arg);
		l->op->fold(acc, leaf_begin(l, first), leaf_end(l, first), l->arg);
		return;
	}
	fold_fork(&frame, l, middle, last);
	fold(frame, l, first, middle);
	fold_join(&frame);
	l->op->combine(acc, l->acc + middle * l->stride, l->arg);
}

/* Whole cache lines each, so that two workers' results do not share one. */
static char *partial_results(struct loop *l)
{
	size_t bytes;
	int saved = errno;
	char *acc;

	if (l->op->size > SIZE_MAX - 63)
		return NULL;
	l->stride = (l->op->size + 63) & ~(size_t)63;
	if (!l->stride || __builtin_mul_overflow(l->stride, leaves(l), &bytes))
		return NULL;
	acc = aligned_alloc(64, bytes);
	restore_errno(saved);
	return acc;
}

int filch_reduce(filch *rt, size_t begin, size_t end, size_t grain, const struct filch_reducer *op,
                 void *arg, void *out)
{
	struct loop l = { .begin = begin, .end = end, .grain = grain, .arg = arg, .op = op };

	if (!op || !op->init || !op->fold || !op->combine || !out)
		return -EINVAL;
	if (begin < end && !grain)
		l.grain = automatic(rt, end - begin, end - begin);
	if (begin < end && l.grain < end - begin)
		l.acc = partial_results(&l);
	if (!l.acc) { /* nothing, one leaf, or no memory: all in one */
		op->init(out, arg);
		if (begin < end)
			op->fold(out, begin, end, arg);
		return 0;
	}
	fold_run(rt, &l, 0, leaves(&l));
	memcpy(out, l.acc, op->size);
	free(l.acc);
	return 0;
}
