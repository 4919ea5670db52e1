/* SPDX-License-Identifier: MIT */
/*
 * What to call when something hangs: a line for each task that waits. It goes over all stacks and
 * holds each waiter that it finds for as long as it takes to copy what it says (cancel.c has the
 * argument); a join cannot be held, and is read as it is. No lock of the user's is taken, nor one
 * that is held across anything that could hang; nothing is written while one is held.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "descriptor.h"
#include "overflow.h"
#include "when.h"
#include "worker.h"

#define SOME 8 /* events of one descriptor to name; the others are counted */

struct dump {
	int fd, error;
	int64_t now;
	const struct filch *rt;
};

struct line { /* what was copied */
	filch_fn *task;
	int what;
	bool joins;
	const void *object;
	int64_t since, until; /* 0: not known; FILCH_NEVER: for ever */
};

static void put(struct dump *d, const char *text, size_t n)
{
	while (n && !d->error) {
		ssize_t done = write(d->fd, text, n);

		if (done < 0 && errno != EINTR)
			d->error = -errno;
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
}

static int describe(char *to, size_t n, const struct line *l)
{
	static const char *const names[] = {
		[FOR_TIME] = "sleep",
		[FOR_COND] = "condition %p",
		[FOR_SEM] = "semaphore %p",
		[FOR_SEND] = "channel %p, to send",
		[FOR_RECV] = "channel %p, to receive",
		[FOR_MUTEX] = "mutex %p",
		[FOR_GROUP] = "group %p",
		[FOR_RUN] = "run in another runtime",
		[FOR_STOP] = "stop of another runtime",
		[FOR_BLOCK] = "block",
	};
	int fd = (int)(intptr_t)l->object;

	if (l->joins)
		return snprintf(to, n, "join");
	switch (l->what) {
	case FOR_READING:
		return snprintf(to, n, "descriptor %d for reading", fd);
	case FOR_WRITING:
		return snprintf(to, n, "descriptor %d for writing", fd);
	case FOR_POLL:
		return snprintf(to, n, "descriptor %d, poll", fd);
	case FOR_EVENT:
		return snprintf(to, n, "descriptor %d, without a stack", fd);
	}
	return snprintf(to, n, names[l->what], l->object);
}

static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

static void put_line(struct dump *d, const struct line *l)
{
	char room[64], what[64], text[256];
	const char *name = function_name(l->task, room, sizeof(room));
	int n;

	describe(what, sizeof(what), l);
	n = snprintf(text, sizeof(text), "filch: task %p (%.80s) waits for %s",
	             (void *)(uintptr_t)l->task, name, what);
	if (l->since)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", since %.3f s",
		              seconds(d->now > l->since ? d->now - l->since : 0));
	if (l->until != FILCH_NEVER)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ", until in %.3f s",
		              seconds(l->until - d->now));
	text[n++] = '\n';
	put(d, text, (size_t)n);
}

static void dump_stack(struct stack *s, void *dump)
{
	struct waiter *w = &s->waiter;
	/* Relaxed, these: of a join, which may be over by now. */
	struct line l = { .task = load_relaxed(&s->task), .until = FILCH_NEVER };

	l.since = load_relaxed(&s->since); /* relaxed: as above */
	/* Acquire: since before the join. Pairs with filch_join_slow_(). */
	l.joins = load_acquire(&w->state) == JOINING;
	if (waiter_hold(w)) {
		l.joins = false;
		l.what = w->what;
		l.object = w->what == FOR_READING || w->what == FOR_WRITING || w->what == FOR_POLL
		                   ? w->value
		                   : s->object;
		l.until = w->timer.when;
		l.task = load_relaxed(&s->task);   /* relaxed: it is held */
		l.since = load_relaxed(&s->since); /* relaxed: as above */
		waiter_let_go(w);
	} else if (!l.joins) {
		return;
	}
	put_line(dump, &l);
}

/* Those of a descriptor that wait without a stack. */
static void dump_events(struct descriptor *of, void *dump)
{
	struct dump *d = dump;
	struct side *s = &of->side[EITHER];
	uint64_t word = lock(&s->word);
	struct waiter *head = s->waiters, *w = head;
	struct line lines[SOME];
	unsigned n = 0, more = 0;
	char text[64];

	do {
		if (!w || w->what != FOR_EVENT || w->rt != d->rt)
			continue;
		if (n == SOME)
			more++;
		else
			lines[n++] = (struct line){ .task = (filch_fn *)(uintptr_t)when_of(w)->fn,
				                    .what = FOR_EVENT,
				                    .object = w->value,
				                    .until = w->timer.when };
	} while (w && (w = w->next) != head);
	unlock(&s->word, word);
	for (unsigned i = 0; i < n; i++)
		put_line(d, &lines[i]);
	if (more)
		put(d, text, (size_t)snprintf(text, sizeof(text), "filch: and %u more on descriptor %d\n",
		                              more, (int)(intptr_t)lines[0].object));
}

/* noinline: the address of errno must not be kept across a wait of the caller. */
__attribute__((noinline)) int filch_dump(filch *rt, int fd)
{
	struct dump d = { .fd = fd, .now = filch_now(), .rt = rt };
	int saved = errno;

	if (!rt || rt->orphaned)
		return rt ? -ESHUTDOWN : -EINVAL;
	add_seq(&rt->visitors, 1);
	stacks_each(&rt->stacks, dump_stack, &d);
	descriptors_each(dump_events, &d);
	add_seq(&rt->visitors, -(uint64_t)1);
	errno = saved;
	return d.error;
}
