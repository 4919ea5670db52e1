/* SPDX-License-Identifier: MIT */
/*
 * Loops over a range, by halving: the right half is forked, the left one is done at once. What is
 * left is always in forks, the oldest of them the biggest, so a thief gets half of all that is left,
 * and a body that waits leaves the rest of its loop to others. Until somebody comes the forks are
 * private, which is next to free: that is splitting on demand, with the demand left to fork.c.
 *
 * Halving ends at a piece that is run in one call. With a grain that is its length. Otherwise the
 * length follows the clock: it grows from one iteration to as many as take PACE, next to which the
 * forks and the clock cost nothing, and it falls again where iterations take longer. It is never
 * more than one in PIECES of the range, since a piece that turns out to be the expensive one cannot
 * be divided any more.
 *
 * Before a range is shared the caller does a little of it alone. A short loop ends there: it is not
 * worth a thief's visit, let alone the way from a thread outside to the workers and back. Where
 * there are few iterations each may be long, and none is done alone: where there are more, the first
 * takes one in MANY of all the time at most.
 *
 * A reduction folds into the caller's result as long as it goes from left to right. Who runs a fork
 * on another stack than it was made on (home) does so beside the parts on its left, and folds into a
 * partial result of its own, which the join combines with them.
 */
#include <errno.h>
#include <stdlib.h>

#include "saved_errno.h"
#include "worker.h"

#define PACE    4000  /* ns for a piece: several times what a steal costs both sides */
#define HANDOFF 20000 /* ns: about what it takes to wake a worker and to be woken by it */
#define PIECES  16
#define MANY    16 /* iterations a CPU from which on the caller may do the first alone */

struct loop {
	filch_range_fn *body;
	const struct filch_reducer *op; /* or NULL: there is a body and no result */
	void *arg;
	size_t least, most; /* iterations in a piece */
	size_t piece;       /* as many as the last ones suggest; everybody writes it */
};

/* Take note that n iterations took so long. */
static void learn(struct loop *l, size_t n, int64_t took)
{
	size_t old = load_relaxed(&l->piece), piece = old; /* relaxed: a hint */

	if (took < PACE / 2 && 2 * n > piece)
		piece = 2 * n < l->most ? 2 * n : l->most;
	else if (took > 2 * PACE)
		piece = (size_t)((double)n * PACE / (double)took);
	if (piece < l->least)
		piece = l->least;
	if (piece != old)
		store_relaxed(&l->piece, piece); /* relaxed: as above */
}

/* Run a piece that begins now, at this time; returns when it ended. */
static int64_t run_piece(struct loop *l, void *acc, size_t begin, size_t end, int64_t now)
{
	int64_t then = now;

	if (l->op)
		l->op->fold(acc, begin, end, l->arg);
	else
		l->body(begin, end, l->arg);
	if (l->least == l->most)
		return now;
	now = filch_now();
	learn(l, end - begin, now - then);
	return now;
}

/*
 * The neutral element in whole cache lines of its own, or NULL. Never inlined: the address of errno
 * is the thread's, and a task that joins may change it.
 */
static __attribute__((noinline)) void *partial_result(const struct loop *l)
{
	int saved = errno;
	void *acc = NULL;

	if (l->op->size <= SIZE_MAX - 64)
		acc = aligned_alloc(64, (l->op->size + 64) & ~(size_t)63);
	restore_errno(saved);
	if (acc)
		l->op->init(acc, l->arg);
	return acc;
}

/* What a part answers that nobody has done yet. */
static char no_memory;
#define NO_MEMORY ((void *)&no_memory)

/* Folds into acc and answers NULL; not at home, into what it answers. */
FILCH_TASK(void *, span, frame, struct loop *, l, void *, acc, size_t, begin, size_t, end, void *,
           home)
{
	size_t n = end - begin, pieces = n / l->least, middle;
	void *mine = NULL, *right;

	if (l->op && home && home != frame.stack_) {
		acc = mine = partial_result(l);
		if (!mine)
			return NO_MEMORY;
	}
	if (n <= load_relaxed(&l->piece)) { /* relaxed: a hint */
		run_piece(l, acc, begin, end, l->least == l->most ? 0 : filch_now());
		return mine;
	}
	middle = begin + (pieces - pieces / 2) * l->least;
	span_fork(&frame, l, acc, middle, end, frame.stack_);
	span(frame, l, acc, begin, middle, frame.stack_);
	right = span_join(&frame);
	if (right == NO_MEMORY) {
		span(frame, l, acc, middle, end, frame.stack_);
	} else if (right) {
		l->op->combine(acc, right, l->arg);
		free(right);
	}
	return mine;
}

/* Work off the range from its beginning, for so many nanoseconds; returns where that ended. */
static size_t alone(struct loop *l, void *acc, size_t begin, size_t end, int64_t ns)
{
	int64_t start = l->least == l->most ? 0 : filch_now(), now = start;

	while (begin < end && now - start < ns) {
		size_t n = end - begin, piece = load_relaxed(&l->piece); /* relaxed: a hint */

		if (n > piece)
			n = piece;
		now = run_piece(l, acc, begin, begin + n, now);
		begin += n;
	}
	return begin;
}

static int64_t time_alone(filch *rt, size_t n, size_t grain)
{
	unsigned at_once = filch_workers(rt);

	if (!rt || grain >= n)
		return FILCH_NEVER;
	if (at_once > rt->cpus)
		at_once = rt->cpus;
	if (grain || n / MANY < at_once)
		return 0;
	return rt == filch_here() ? PACE : HANDOFF;
}

static void loop(filch *rt, struct loop *l, void *acc, size_t begin, size_t end, size_t grain)
{
	size_t n = end - begin;
	int64_t ns = time_alone(rt, n, grain);

	l->least = grain ? grain : rt ? 1 : n;
	l->most = grain || !rt ? l->least : n / PIECES ? n / PIECES : 1;
	l->piece = l->least;
	begin = alone(l, acc, begin, end, ns);
	if (begin < end)
		span_run(rt, l, acc, begin, end, NULL);
}

void filch_for(filch *rt, size_t begin, size_t end, size_t grain, filch_range_fn *body, void *arg)
{
	struct loop l = { .body = body, .arg = arg };

	if (begin < end && body)
		loop(rt, &l, NULL, begin, end, grain);
}

int filch_reduce(filch *rt, size_t begin, size_t end, size_t grain, const struct filch_reducer *op,
                 void *arg, void *out)
{
	struct loop l = { .op = op, .arg = arg };

	if (!op || !op->init || !op->fold || !op->combine || !out)
		return -EINVAL;
	op->init(out, arg);
	if (begin < end)
		loop(rt, &l, out, begin, end, grain);
	return 0;
}
