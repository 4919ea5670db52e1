/* SPDX-License-Identifier: MIT */
#include "desk.h"

#include <stdlib.h>

#define MOST  64    /* free ones in a part */
#define LARGE 32768 /* a larger buffer is not kept */

static struct desk_part *enter(struct desks *all)
{
	struct desk_part *p = &all->part[(unsigned)filch_worker() % DESK_PARTS];

	return filch_mutex_trylock(&p->lock) ? NULL : p;
}

struct desk *desk_take(struct desks *all, const struct request_limits *limits)
{
	struct desk_part *p = enter(all);
	struct desk *d = p ? p->free : NULL;

	if (d) {
		p->free = d->next;
		p->count--;
	}
	if (p)
		filch_mutex_unlock(&p->lock);
	if (!d)
		d = calloc(1, sizeof(*d));
	/* A new one, or what a connection left that has ended. */
	if (d && (!d->request.limits || request_begun(&d->request)))
		request_reset(&d->request, limits);
	return d;
}

static void tidy(struct buffer *b)
{
	b->length = 0;
	if (b->capacity > LARGE)
		buffer_free(b);
}

static void discard(struct desk *d)
{
	buffer_free(&d->in);
	buffer_free(&d->out);
	buffer_free(&d->request.body);
	free(d);
}

void desk_give(struct desks *all, struct desk *d)
{
	struct desk_part *p = enter(all);
	bool room = p && p->count < MOST;

	tidy(&d->in);
	tidy(&d->out);
	tidy(&d->request.body);
	d->start = d->answered = 0;
	if (room) {
		d->next = p->free;
		p->free = d;
		p->count++;
	}
	if (p)
		filch_mutex_unlock(&p->lock);
	if (!room)
		discard(d);
}
