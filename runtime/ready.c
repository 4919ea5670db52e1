/* SPDX-License-Identifier: MIT */
/*
 * Descriptors are watched edge-triggered, for everything at once, from their first wait until they
 * are closed. Events are counted, so that a call which finds nothing to do waits without losing
 * one: it has seen the count before it looked, and under the lock finds another, or is in the list
 * when the next event ends all waits. Nobody takes an event away from others.
 *
 * A read that leaves nothing notes the count that it had seen (dry). As long as it stays so, the
 * next one waits without asking the kernel.
 *
 * A stream that is read is not watched but received where the poller can do that: staged.c.
 *
 * Locks, in this order: a poller's of delivering, a side's, the poller's of submitting.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "descriptor.h"
#include "futex.h"
#include "worker.h"

/* How long a thread outside sleeps before it looks whether the descriptor was closed. */
#define LOOK_AGAIN ((int64_t)50000000)

/* ---- who is told ---- */

/* A wait that must look again, or (closing) ends. Both sides, whoever waits. */
void descriptor_end_waits(struct descriptor *d, int result)
{
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &d->side[i];
		uint64_t word = lock(&s->word);
		struct waiter *chain = wait_take_all(&s->waiters, result, NULL);

		unlock(&s->word, word & ~WAITERS);
		waiters_wake(chain);
	}
}

/* An event of a side: whoever waits there looks again. Eager is what had the number then. */
static void side_ready(struct descriptor *d, uint32_t closes, int side, bool eager)
{
	struct side *s = &d->side[side];
	uint64_t word = lock(&s->word);
	struct waiter *chain = wait_take_all(&s->waiters, 0, NULL);

	if (eager && load_seq(&d->closes) == closes)
		word |= EAGER;
	unlock(&s->word, (word & ~WAITERS) + EVENT);
	waiters_wake(chain);
}

/* Take out of a side those whom choose() names, and wake them. */
static void end_some(struct side *s, int (*choose)(const struct waiter *, const void *),
                     const void *arg, uint64_t event)
{
	uint64_t word = lock(&s->word);
	struct waiter *chain = wait_choose(&s->waiters, choose, arg, NULL);

	unlock(&s->word, ((word & ~WAITERS) | (s->waiters ? WAITERS : 0)) + event);
	waiters_wake(chain);
}

/* ---- what was seen ---- */

#define SEEN (~(VALUE_ONE - 1)) /* of a side's word */

uint64_t descriptor_seen(const struct descriptor *d, int side)
{
	/* Acquire: before the look that follows. An event that comes after this one differs. */
	return load_acquire(&d->side[side].word) & SEEN;
}

void descriptor_note_dry(struct descriptor *d, uint64_t seen)
{
	store_relaxed(&d->dry, seen); /* relaxed: whoever reads which, it was true */
}

void descriptor_be_eager(struct descriptor *d)
{
	uint64_t *lock_of = &d->side[READING].word;

	unlock(lock_of, lock(lock_of) | EAGER);
}

/* What nobody watches has no events. */
bool descriptor_is_dry(const struct descriptor *d, uint64_t seen)
{
	/* Relaxed: as above; and without a poller a wait looks again under the lock. */
	return load_relaxed(&d->dry) == seen &&
	       (load_relaxed(&d->poller) || load_relaxed(&d->receiver));
}

/* ---- waiting ---- */

void descriptor_unwatched(struct descriptor *d, uint32_t closes, struct poller *by)
{
	uint64_t word = lock(&d->side[READING].word);
	bool current = d->closes == closes && load_seq(&d->poller) == by;

	if (current) {
		store_seq(&d->poller, (struct poller *)NULL);
		store_seq(&d->rt, (struct filch *)NULL);
	}
	unlock(&d->side[READING].word, word);
	if (current)
		descriptor_end_waits(d, 0);
}

/*
 * A thread outside waits by itself. It has to see a close, which nothing else would tell it, and a
 * cancel, if it runs a function for a task.
 */
static int wait_as_thread(struct descriptor *d, int fd, int side, short events, uint64_t seen,
                          int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int saved = errno, result = -ETIMEDOUT;

	for (int64_t now = filch_now(); now < deadline; now = filch_now()) {
		struct timespec most = timespec_of(deadline - now < LOOK_AGAIN ? deadline - now
		                                                               : LOOK_AGAIN);

		if (descriptor_closing(d) || filch_cancelled()) {
			result = -ECANCELED;
			break;
		}
		if (descriptor_seen(d, side) != seen || ppoll(&p, 1, &most, NULL) > 0) {
			result = 0;
			break;
		}
	}
	errno = saved;
	return result;
}

/*
 * Whoever waits first has it watched. Under READING's lock, as whoever ends that: a poll that is to
 * end before it has begun would be nobody's, and never end.
 */
static int watch(struct descriptor *d, int fd)
{
	uint64_t *lock_of = &d->side[READING].word, word;
	struct worker *w = worker_here();
	int error = 0;

	/* Acquire: somebody has it watched, and what comes is told. Pairs with the store below. */
	if (load_acquire(&d->poller))
		return 0;
	word = lock(lock_of);
	while (load_seq(&d->held) && !load_seq(&d->poller)) {
		unlock(lock_of, word);
		descriptor_until_let_go(d); /* what ends must not be taken for what begins */
		word = lock(lock_of);
	}
	if (!load_seq(&d->poller))
		error = poller_watch(w->poller, fd, d, EVENTS);
	if (!load_seq(&d->poller) && !error) {
		store_seq(&d->rt, w->rt);
		store_seq(&d->poller, w->poller);
	}
	unlock(lock_of, word);
	return error;
}

/* Have the bytes received, unless there are some. */
static int receive_ahead(struct descriptor *d, int fd)
{
	uint64_t *lock_of = &d->side[READING].word, word = lock(lock_of);
	struct poller *p = worker_here()->poller;
	bool mine = !load_seq(&d->receiver) && !d->staged.first && !d->staged.error;
	int error;

	if (mine)
		store_seq(&d->receiver, p);
	unlock(lock_of, word);
	error = mine ? poller_watch(p, fd, d, BYTES) : 0;
	if (mine && !error && load_seq(&d->poller) && load_seq(&d->rt) == worker_here()->rt) {
		/* Or each arrival would be told twice. Who waits to write watches it again. */
		descriptor_unwatch(d, fd, worker_here()->rt);
		descriptor_end_waits(d, 0);
	}
	if (error) {
		word = lock(lock_of);
		store_seq(&d->receiver, (struct poller *)NULL);
		unlock(lock_of, word + EVENT); /* one that came meanwhile was not counted */
		descriptor_end_waits(d, 0);
	}
	return error;
}

/* Does this wait end when bytes have been received? */
static bool for_bytes(struct descriptor *d, int side, short events)
{
	struct worker *w = worker_here();

	/* Relaxed: set in this call, or not at all. */
	if (!load_relaxed(&d->reads) || side == WRITING || events & ~(POLLIN | POLLRDNORM))
		return false;
	return load_seq(&d->receiver) || (w && w->poller->kind->receives);
}

int descriptor_wait(struct descriptor *d, int fd, int side, short events, uint64_t seen,
                    int64_t deadline)
{
	struct side *s = &d->side[side];
	bool bytes = for_bytes(d, side, events);
	struct waiter *w, outside;
	uint64_t word;
	int error = 0;

	if (!stack_here() && !(bytes && load_seq(&d->receiver)))
		return wait_as_thread(d, fd, side, events, seen, deadline);
	if (stack_here())
		error = bytes ? receive_ahead(d, fd) : watch(d, fd);
	if (error)
		return error;
	w = wait_begin(&outside, FOR_READING + side, deadline);
	w->value = (void *)(intptr_t)fd;
	word = lock(&s->word);
	if ((word & SEEN) != seen || descriptor_closing(d) ||
	    !(bytes ? load_seq(&d->receiver) : load_seq(&d->poller))) {
		/* An event came, or it is not watched any more: look again. */
		unlock(&s->word, word);
		return descriptor_closing(d) ? -ECANCELED : 0;
	}
	return wait_in(&s->word, word, &s->waiters, w, deadline);
}

/* ---- waiting without a stack ---- */

#define WATCHED  (POLLIN | POLLOUT | POLLPRI | POLLRDHUP) /* the poller's events are poll(2)'s */
#define TO_READ  (POLLIN | POLLRDNORM | POLLPRI | POLLRDHUP)
#define IN_ERROR (POLLERR | POLLHUP)

/*
 * False: it is certainly not ready. For reading that is known without asking the kernel, if no
 * event has come since a read left nothing, nor one before that is about more than bytes. Asked
 * under EITHER's lock: an event is counted in READING before it comes to those in EITHER. So either
 * it is seen here, or the waiter is found there.
 */
static bool may_be_ready(struct descriptor *d, short events)
{
	uint64_t seen = descriptor_seen(d, READING);

	return events & ~TO_READ || seen & EAGER || !descriptor_is_dry(d, seen);
}

int descriptor_enlist(struct descriptor *d, int fd, struct waiter *w, int64_t deadline,
                      const uint64_t *looked)
{
	struct side *s = &d->side[EITHER];
	bool bytes = for_bytes(d, EITHER, w->events);
	int result = bytes ? receive_ahead(d, fd) : watch(d, fd);
	uint64_t word;
	bool ending;

	if (result)
		return result;
	word = lock(&s->word);
	/* Under the lock: see when.c. */
	ending = load_seq(&w->rt->stopping) || load_seq(&w->rt->cancelled);
	if (descriptor_closing(d))
		result = -ECANCELED;
	else if (looked ? (word & SEEN) != *looked : ending || may_be_ready(d, w->events))
		result = LOOK_FIRST;
	else if (ending)
		result = -ECANCELED;
	else if (!(bytes ? load_seq(&d->receiver) : load_seq(&d->poller))) /* it has let go */
		result = LOOK_FIRST;
	if (!result) {
		wait_enlist(&s->waiters, w);
		if (deadline != FILCH_NEVER)
			timer_arm(&worker_here()->timers, &w->timer, deadline);
	}
	unlock(&s->word, s->waiters ? word | WAITERS : word);
	return result;
}

void descriptor_delist(int fd, struct waiter *w)
{
	struct side *s = &descriptor_at(fd)->side[EITHER];
	uint64_t word = lock(&s->word);

	wait_delist(&s->waiters, w);
	unlock(&s->word, s->waiters ? word : word & ~WAITERS);
}

static int of_runtime(const struct waiter *w, const void *rt)
{
	return w->what == FOR_EVENT && w->rt == rt ? -ECANCELED : KEEP;
}

static void cancel_events(struct descriptor *d, void *rt)
{
	end_some(&d->side[EITHER], of_runtime, rt, 0);
}

void descriptors_cancel(struct filch *rt)
{
	descriptors_each(cancel_events, rt);
}

/* ---- the poller's news ---- */

struct news {
	uint32_t closes, events;
};

/*
 * A task looks for itself; who has no stack is told, if it is for this that it waits: on the
 * descriptor of which the news are, not on one that was given its number since.
 */
static int told(const struct waiter *w, const void *arg)
{
	const struct news *news = arg;
	int revents = (int)news->events & (w->events | IN_ERROR);

	if (w->what != FOR_EVENT || w->events & ~WATCHED)
		return 0;
	return revents && w->closes == news->closes ? revents : KEEP;
}

/*
 * After a hang-up no more events come; a read stops short of urgent data though there is more
 * behind it; and an error may be one that a read does not report (MSG_ERRQUEUE).
 */
void descriptor_ready(struct descriptor *d, uint32_t closes, uint32_t events)
{
	bool gone = events & (EPOLLHUP | EPOLLERR), eager = gone || events & (EPOLLRDHUP | EPOLLPRI);
	struct news news = { closes, events };

	/* What is received is not ready before it is here. */
	if (load_seq(&d->receiver))
		news.events &= ~(uint32_t)EPOLLIN;
	if (eager || news.events & EPOLLIN)
		side_ready(d, closes, READING, eager);
	if (gone || events & EPOLLOUT)
		side_ready(d, closes, WRITING, false);
	end_some(&d->side[EITHER], told, &news, EVENT); /* last: see may_be_ready() */
}

/* After bytes, or the end, were queued under READING's lock. */
void descriptor_tell(struct descriptor *d, uint32_t closes, bool more)
{
	struct news news = { closes, POLLIN | POLLRDNORM };

	if (more)
		end_some(&d->side[EITHER], told, &news, EVENT);
	else
		side_ready(d, closes, EITHER, false);
}

/* ---- asking the kernel ---- */

__attribute__((noinline)) int descriptor_ready_for(struct descriptor *d, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };
	int saved = errno, n = poll(&p, 1, 0), error = errno;

	errno = saved;
	if (n < 0)
		return -error;
	if (p.revents & POLLNVAL)
		return -EBADF;
	if (descriptor_staged(d))
		p.revents |= events & (POLLIN | POLLRDNORM);
	return p.revents;
}

int descriptor_look(struct descriptor *d, int fd, short events)
{
	int n = descriptor_ready_for(d, fd, events);
	bool before = false;
	int64_t unused;

	if (!n && descriptor_expects(d, &unused, &before))
		n = descriptor_ready_for(d, fd, events);
	return n;
}
