/* SPDX-License-Identifier: MIT */
/*
 * How a call is made. What has happened on its side is asked before each attempt, never after, so
 * that an attempt which finds nothing to do waits for what that cannot have seen; why no event is
 * lost, and what a read notes for the next one: ready.c.
 */
#include "call.h"

#include <poll.h>

#include "include/filch.h"

/* A peek may find nothing beyond what was peeked at before (SO_PEEK_OFF). */
static bool left_nothing(const struct call *c, ssize_t n, uint64_t seen)
{
	if (n == -EAGAIN)
		return !(c->flags & MSG_PEEK);
	return n >= 0 && !c->more && !(seen & EAGER);
}

ssize_t call_perform(int side, ssize_t (*attempt)(struct call *), struct call *c, int64_t deadline)
{
	int late = 0, error = -EBADF;
	bool wait, looked = false;
	uint64_t seen;
	ssize_t n;

	c->d = descriptor_enter(c->fd, &error);
	if (!c->d)
		return error;
	if (side != EITHER)
		c->events = side == READING ? POLLIN : POLLOUT;
	seen = descriptor_seen(c->d, side);
	wait = side == READING && descriptor_is_dry(c->d, seen);
	do {
		late = wait ? descriptor_wait(c->d, c->fd, side, c->events, seen, deadline) : 0;
		n = late;
		if (late &&
		    (descriptor_closing(c->d) || (late != -ETIMEDOUT && late != -ECANCELED)))
			break;
		seen = descriptor_seen(c->d, side);
		n = attempt(c); /* what is ready is ready, also after a deadline or a cancel */
		wait = c->again = true;
		if (side == READING && left_nothing(c, n, seen))
			descriptor_note_dry(c->d, seen);
		if (!late && deadline <= 0 && !descriptor_closing(c->d) && !filch_cancelled())
			late = -ETIMEDOUT; /* what a wait would end with */
	} while (n == -EAGAIN && (!late || descriptor_expects(c->d, &deadline, &looked)));
	descriptor_leave(c->d, c->fd);
	return n == -EAGAIN ? late : n;
}

ssize_t call_if_ready(struct call *c, short events, ssize_t (*call)(struct call *))
{
	uint64_t *alone = &c->d->side[EITHER].word, word = lock(alone);
	struct pollfd p = { .fd = c->fd, .events = events };
	ssize_t n = -1;

	if (poll(&p, 1, 0) > 0)
		n = call(c);
	else
		errno = EAGAIN;
	unlock(alone, word);
	return n;
}
