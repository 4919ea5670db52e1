/* SPDX-License-Identifier: MIT */
/*
 * A stream that filch_read, readv or recv has found empty is not watched but received, where the
 * poller can do that (poller_uring.c): an event then says that there are bytes here. From receiver =
 * p until the poller has let go nobody else reads it, so the bytes stay in order: whoever sets
 * receiver, and whoever reads the socket itself because there is none, does so under READING's
 * lock. What is here at once is bounded (FULL): beyond that the receiver is stopped, and whoever
 * reads goes to the socket again as soon as it has let go and what is here was read, until the
 * socket is empty. That is also the fastest way for much data: one copy less.
 */
#include "staged.h"

#include <errno.h>
#include <string.h>

#include "descriptor.h"
#include "worker.h"

/* How long the bytes that came before a deadline may take to get here from a busy worker. */
#define ON_THE_WAY ((int64_t)10000000)
#define FULL       16 /* buffers */

/* ---- the queue ---- */

void staged_add(struct staged *s, struct buffer *b, unsigned n)
{
	b->next = NULL;
	b->from = 0;
	b->to = n;
	if (s->first)
		s->last->next = b;
	else
		s->first = b;
	s->last = b;
	s->count++;
}

static void drop_first(struct staged *s)
{
	struct buffer *b = s->first;

	s->first = b->next;
	s->count--;
	b->lender->give(b);
}

/* One piece of the vector; how much there was for it. */
static size_t fill(struct staged *s, struct buffer **at, unsigned *from, const struct iovec *piece,
                   int flags)
{
	size_t done = 0;

	while (*at && done < piece->iov_len) {
		size_t n = (*at)->to - *from;

		if (n > piece->iov_len - done)
			n = piece->iov_len - done;
		if (!(flags & MSG_TRUNC)) /* of a stream: to throw it away */
			memcpy((char *)piece->iov_base + done, (*at)->bytes + *from, n);
		done += n;
		*from += (unsigned)n;
		if (*from < (*at)->to)
			continue;
		*at = (*at)->next;
		*from = *at ? (*at)->from : 0;
		if (!(flags & MSG_PEEK))
			drop_first(s);
	}
	return done;
}

size_t staged_take(struct staged *s, const struct msghdr *to, int flags)
{
	struct buffer *at = s->first;
	unsigned from = at ? at->from : 0;
	size_t sum = 0;

	for (size_t i = 0; i < to->msg_iovlen; i++)
		sum += fill(s, &at, &from, &to->msg_iov[i], flags);
	if (at && at == s->first && !(flags & MSG_PEEK))
		at->from = from;
	return sum;
}

void staged_drop(struct staged *s)
{
	while (s->first)
		drop_first(s);
	s->error = 0;
}

/* ---- the stream ---- */

static size_t room(const struct msghdr *to)
{
	size_t sum = 0;

	for (size_t i = 0; i < to->msg_iovlen; i++)
		sum += to->msg_iov[i].iov_len;
	return sum;
}

/* The lock is held across a system call: only those who read the same stream wait for it. */
ssize_t descriptor_read(struct descriptor *d, const struct msghdr *to, int flags,
                        ssize_t (*receive)(void *arg), void *arg, bool *more)
{
	uint64_t *lock_of = &d->side[READING].word, word = lock(lock_of);
	ssize_t n = (ssize_t)staged_take(&d->staged, to, flags), most = (ssize_t)room(to);

	*more = true;
	if (n || (!most && d->staged.first)) {
		*more = d->staged.first || !load_seq(&d->receiver);
	} else if (d->staged.error) {
		n = d->staged.error;
		d->staged.error = 0;
	} else if (most && load_seq(&d->receiver)) {
		n = -EAGAIN;
	} else {
		n = receive(arg);
		*more = n == most || flags & MSG_PEEK;
	}
	unlock(lock_of, word);
	return n;
}

bool descriptor_staged(struct descriptor *d)
{
	uint64_t word = lock(&d->side[READING].word);
	bool any = d->staged.first || d->staged.error;

	unlock(&d->side[READING].word, word);
	return any;
}

/* Under the lock the poller is there: it is freed only when it has let go of what it receives. */
bool descriptor_expects(struct descriptor *d, int64_t *deadline, bool *before)
{
	uint64_t word = lock(&d->side[READING].word);
	struct worker *w = worker_here();
	struct poller *p = load_seq(&d->receiver);
	bool pending = p && !*before && poller_pending(p);

	unlock(&d->side[READING].word, word);
	*before = true;
	if (pending && w && w->poller == p)
		poller_poll(p);
	else if (pending)
		*deadline = filch_after(ON_THE_WAY);
	return pending;
}

void descriptor_received(struct descriptor *d, int fd, uint32_t closes, struct buffer *b,
                         int n, bool more)
{
	struct side *s = &d->side[READING];
	uint64_t word = lock(&s->word);
	struct waiter *chain;

	if (d->closes != closes) {
		unlock(&s->word, word);
		if (b)
			b->lender->give(b);
		return;
	}
	if (b)
		staged_add(&d->staged, b, (unsigned)n);
	if (!more) {
		store_seq(&d->receiver, (struct poller *)NULL);
		d->staged.error = n < 0 && n != -ENOBUFS && n != -ECANCELED ? n : 0;
	} else if (b && d->staged.count % FULL == 0) {
		/* And again, should the kernel have missed it in the middle of its work. */
		poller_forget(load_seq(&d->receiver), fd, d, BYTES);
	}
	chain = wait_take_all(&s->waiters, 0, NULL);
	unlock(&s->word, (word & ~WAITERS) + EVENT);
	waiters_wake(chain);
	descriptor_tell(d, closes, more);
}
