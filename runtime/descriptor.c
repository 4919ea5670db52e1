/* SPDX-License-Identifier: MIT */
/*
 * Descriptors are watched edge-triggered, for everything at once, from their first wait until they are closed. An event is
 * remembered (READY) if nobody waits, so that a call which finds nothing to do waits without losing one: the event comes
 * before the wait and is found, or after and ends it.
 *
 * READY is cleared before the call that may use it up, never after: an event that comes in between stays.
 */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "futex.h"
#include "worker.h"

#define CLOSING ((uint32_t)1 << 31)
#define PER_CHUNK 1024
#define CHUNKS 8192 /* eight million descriptors */
#define LOOK_AGAIN ((int64_t)50000000) /* how long a thread outside sleeps before it looks whether the descriptor was closed */

static struct descriptor *chunk[CHUNKS];

static struct descriptor *look_up(int fd)
{
	/* Acquire: a zeroed chunk before its use. Pairs with the CAS in make_chunk(). */
	struct descriptor *d = load_acquire(&chunk[fd / PER_CHUNK]);

	return d ? d + fd % PER_CHUNK : NULL;
}

static struct descriptor *make_chunk(int fd)
{
	int saved = errno;
	struct descriptor *none = NULL, *d = calloc(PER_CHUNK, sizeof(*d));

	errno = saved;
	if (!d)
		return NULL;
	/* Acq_rel: the zeroed chunk before its use. Pairs with look_up(). */
	if (!cas_acq_rel(&chunk[fd / PER_CHUNK], &none, d))
		free(d);
	return look_up(fd);
}

static struct descriptor *descriptor_of(int fd, int *error)
{
	struct descriptor *d;

	if (fd < 0 || fd >= PER_CHUNK * CHUNKS) {
		*error = -EBADF;
		return NULL;
	}
	d = look_up(fd);
	if (!d)
		d = make_chunk(fd);
	if (!d)
		*error = -ENOMEM;
	return d;
}

struct descriptor *descriptor_enter(int fd, int *error)
{
	struct descriptor *d = descriptor_of(fd, error);

	if (d && add_seq(&d->users, 1) & CLOSING) {
		descriptor_leave(d, fd);
		*error = -ECANCELED;
		return NULL;
	}
	return d;
}

static bool closing(struct descriptor *d)
{
	return load_seq(&d->users) & CLOSING;
}

/* A wait that must look again, or (closing) ends. Both sides, whoever waits. */
static void end_waits(struct descriptor *d, int result)
{
	for (int i = READING; i <= WRITING; i++) {
		struct side *s = &d->side[i];
		uint64_t word = lock(&s->word);
		struct waiter *chain = wait_take_all(&s->waiters, result, NULL);

		unlock(&s->word, word & ~WAITERS);
		waiters_wake(chain);
	}
}

/* Nobody uses it any more: what is known of the number is forgotten before it can be given out again. */
static void really_close(struct descriptor *d, int fd)
{
	int saved = errno;

	if (d->poller)
		poller_forget(d->poller, fd);
	*d = (struct descriptor){ .users = CLOSING };
	store_seq(&d->users, 0);
	close(fd);
	errno = saved;
}

void descriptor_leave(struct descriptor *d, int fd)
{
	if (add_seq(&d->users, -(uint32_t)1) == (CLOSING | 1))
		really_close(d, fd);
}

int filch_close(int fd)
{
	int error = -EBADF;
	struct descriptor *d;
	uint32_t users;

	if (fd < 0 || fcntl(fd, F_GETFD) < 0 || !(d = descriptor_enter(fd, &error)))
		return error == -ECANCELED ? -EBADF : error;
	users = load_seq(&d->users);
	do {
		if (users & CLOSING) {
			descriptor_leave(d, fd);
			return -EBADF;
		}
	} while (!cas_seq(&d->users, &users, users | CLOSING));
	end_waits(d, -ECANCELED);
	descriptor_leave(d, fd);
	return 0;
}

/* ---- what is known ---- */

void descriptor_made(int fd, int kind, bool nonblocking)
{
	int error;
	struct descriptor *d = descriptor_of(fd, &error);

	if (!d)
		return; /* it will be asked for again */
	store_relaxed(&d->kind, (uint8_t)kind);               /* relaxed: the number is new, and nobody else has it */
	store_relaxed(&d->nonblocking, (uint8_t)nonblocking); /* relaxed: the same */
}

static void find_out(struct descriptor *d, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL), kind = OTHER, type = 0;
	socklen_t length = sizeof(type);

	if (flags < 0 || fstat(fd, &st))
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
		kind = type == SOCK_STREAM ? STREAM_SOCKET : OTHER_SOCKET;
	else if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode))
		kind = REGULAR;
	store_relaxed(&d->nonblocking, (uint8_t)!!(flags & O_NONBLOCK)); /* relaxed: anybody finds out the same */
	store_relaxed(&d->kind, (uint8_t)kind);                          /* relaxed: the same */
}

__attribute__((noinline)) int descriptor_kind(struct descriptor *d, int fd)
{
	int saved = errno;

	if (load_relaxed(&d->kind) == UNKNOWN) /* relaxed: see find_out() */
		find_out(d, fd);
	errno = saved;
	return load_relaxed(&d->kind); /* relaxed: see find_out() */
}

bool descriptor_may(struct descriptor *d, int side)
{
	/* Relaxed: a stale answer is a call, or a wait that looks again under the lock. */
	return !load_relaxed(&d->poller) || load_relaxed(&d->side[side].word) & (READY | EAGER);
}

void descriptor_use(struct descriptor *d, int side)
{
	struct side *s = &d->side[side];
	uint64_t word;

	if (!(load_relaxed(&s->word) & READY)) /* relaxed: an event that comes later stays */
		return;
	word = lock(&s->word);
	unlock(&s->word, word & ~READY);
}

void descriptor_more(struct descriptor *d, int side)
{
	struct side *s = &d->side[side];

	if (load_relaxed(&d->poller)) /* relaxed: without one READY is not looked at */
		unlock(&s->word, lock(&s->word) | READY);
}

/* ---- waiting ---- */

/* A thread outside waits by itself. It has to see a close, which nothing else would tell it. */
static int wait_as_thread(struct descriptor *d, int fd, int side, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = side == READING ? POLLIN : POLLOUT };
	int saved = errno, result = -ETIMEDOUT;

	for (int64_t now = filch_now(); now < deadline; now = filch_now()) {
		struct timespec most = timespec_of(deadline - now < LOOK_AGAIN ? deadline - now : LOOK_AGAIN);

		if (closing(d)) {
			result = -ECANCELED;
			break;
		}
		if (ppoll(&p, 1, &most, NULL) > 0) {
			result = 0;
			break;
		}
	}
	errno = saved;
	return result;
}

static int watch(struct descriptor *d, int fd)
{
	struct worker *w = worker_here();
	struct poller *none = NULL;
	int error;

	/* Acq_rel: one of those who wait first does it; the others' waits end by the event that adding it brings. */
	if (load_acquire(&d->poller) || !cas_acq_rel(&d->poller, &none, w->poller))
		return 0;
	d->rt = w->rt;
	error = poller_watch(w->poller, fd, d);
	if (error) {
		/* Release: nobody watches it. Pairs with the load above. */
		store_release(&d->poller, (struct poller *)NULL);
		end_waits(d, 0);
	}
	return error;
}

int descriptor_wait(struct descriptor *d, int fd, int side, int64_t deadline)
{
	struct side *s = &d->side[side];
	struct waiter *w;
	uint64_t word;
	int error;

	if (!stack_here())
		return wait_as_thread(d, fd, side, deadline);
	error = watch(d, fd);
	if (error)
		return error;
	w = wait_begin(NULL, deadline);
	word = lock(&s->word);
	if (word & (READY | EAGER)) {
		unlock(&s->word, word & ~READY);
		return closing(d) ? -ECANCELED : 0;
	}
	if (closing(d)) {
		unlock(&s->word, word);
		return -ECANCELED;
	}
	return wait_in(&s->word, word, &s->waiters, w, deadline);
}

static void side_ready(struct side *s, bool eager)
{
	uint64_t word = lock(&s->word);
	struct waiter *chain = wait_take_all(&s->waiters, 0, NULL);

	word &= ~WAITERS;
	unlock(&s->word, word | (chain ? 0 : READY) | (eager ? EAGER : 0));
	waiters_wake(chain);
}

/* After a hang-up no more events come; a read stops short of urgent data though there is more behind it. */
void descriptor_ready(struct descriptor *d, uint32_t events)
{
	bool gone = events & (EPOLLHUP | EPOLLERR);

	if (gone || events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI))
		side_ready(&d->side[READING], gone || events & (EPOLLRDHUP | EPOLLPRI));
	if (gone || events & EPOLLOUT)
		side_ready(&d->side[WRITING], gone);
}

void descriptors_forget(struct filch *rt)
{
	for (int i = 0; i < CHUNKS; i++) {
		struct descriptor *d = load_acquire(&chunk[i]); /* acquire: as look_up() */

		for (int j = 0; d && j < PER_CHUNK; j++) {
			if (d[j].rt != rt)
				continue;
			d[j].rt = NULL;
			store_seq(&d[j].poller, (struct poller *)NULL);
			end_waits(&d[j], 0); /* tasks of another runtime: they look again, and watch it themselves */
		}
	}
}
