/* SPDX-License-Identifier: MIT */
/*
 * Descriptors are watched edge-triggered, for everything at once, from their first wait until they
 * are closed. An event is remembered (READY) if nobody waits, so that a call which finds nothing to
 * do waits without losing one: the event comes before the wait and is found, or after and ends it.
 *
 * READY is cleared before the call that may use it up, never after: an event that comes in between
 * stays.
 */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "futex.h"
#include "saved_errno.h"
#include "worker.h"

#define CLOSING   ((uint32_t)1 << 31)
#define PER_CHUNK 1024
#define CHUNKS    8192 /* eight million descriptors */
/* How long a thread outside sleeps before it looks whether the descriptor was closed. */
#define LOOK_AGAIN ((int64_t)50000000)

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

	restore_errno(saved);
	if (!d)
		return NULL;
	/* seq_cst: before the look at whether a runtime stops. Pairs with descriptors_cancel(). */
	if (!cas_seq(&chunk[fd / PER_CHUNK], &none, d))
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

/* Nobody enters once it is closing: then the count can only fall, and reaches its end once. */
struct descriptor *descriptor_enter(int fd, int *error)
{
	struct descriptor *d = descriptor_of(fd, error);
	uint32_t users;

	if (!d)
		return NULL;
	users = load_relaxed(&d->users); /* relaxed: the CAS checks it */
	do {
		if (users & CLOSING) {
			*error = -ECANCELED;
			return NULL;
		}
	} while (!cas_seq(&d->users, &users, users + 1));
	return d;
}

bool descriptor_closing(struct descriptor *d)
{
	return load_seq(&d->users) & CLOSING;
}

/* A wait that must look again, or (closing) ends. Both sides, whoever waits. */
static void end_waits(struct descriptor *d, int result)
{
	for (int i = 0; i < SIDES; i++) {
		struct side *s = &d->side[i];
		uint64_t word = lock(&s->word);
		struct waiter *chain = wait_take_all(&s->waiters, result, NULL);

		unlock(&s->word, word & ~WAITERS);
		waiters_wake(chain);
	}
}

/*
 * Take it out of its poller, if rt is that poller's runtime or NULL. The lock is held across a
 * system call, since a stop of that runtime frees the poller; but for that nobody waits for it.
 */
static void unwatch(struct descriptor *d, int fd, struct filch *rt)
{
	uint64_t word = lock(&d->side[READING].word);

	if (load_seq(&d->poller) && (!rt || load_seq(&d->rt) == rt)) {
		poller_forget(load_seq(&d->poller), fd);
		store_seq(&d->poller, (struct poller *)NULL);
		store_seq(&d->rt, (struct filch *)NULL);
	}
	unlock(&d->side[READING].word, word);
}

/*
 * Nobody uses it any more: what is known of the number is forgotten before it can be given out
 * again. Under the locks, since a poller may still be bringing an event for it.
 */
static __attribute__((noinline)) void really_close(struct descriptor *d, int fd)
{
	int saved = errno;

	unwatch(d, fd, NULL);
	for (int i = 0; i < SIDES; i++) {
		lock(&d->side[i].word);
		unlock(&d->side[i].word, 0);
	}
	store_seq(&d->kind, (uint8_t)UNKNOWN);
	add_seq(&d->closes, 1);
	store_seq(&d->users, (uint32_t)0);
	close(fd);
	errno = saved;
}

void descriptor_leave(struct descriptor *d, int fd)
{
	if (add_seq(&d->users, -(uint32_t)1) == (CLOSING | 1))
		really_close(d, fd);
}

static __attribute__((noinline)) bool is_open(int fd)
{
	int saved = errno;
	bool open = fcntl(fd, F_GETFD) >= 0;

	errno = saved;
	return open;
}

/* What filch knows is closed by filch alone; a number that it does not know may be anything. */
static bool can_be_closed(int fd)
{
	struct descriptor *d = fd >= 0 && fd < PER_CHUNK * CHUNKS ? look_up(fd) : NULL;

	return (d && load_relaxed(&d->kind) != UNKNOWN) ||
	       is_open(fd); /* relaxed: see find_out() */
}

int filch_close(int fd)
{
	int error = -EBADF;
	struct descriptor *d;
	uint32_t users;

	if (!can_be_closed(fd) || !(d = descriptor_enter(fd, &error)))
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
	/* Relaxed: the number is new, and nobody else has it. */
	store_relaxed(&d->kind, (uint8_t)kind);
	store_relaxed(&d->nonblocking, (uint8_t)nonblocking); /* relaxed: the same */
}

/* A local stream stops at ancillary data, with more behind it. */
static bool is_internet(int domain)
{
	return domain == AF_INET || domain == AF_INET6;
}

static void find_out(struct descriptor *d, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL), kind = OTHER, type = 0, domain = 0;
	socklen_t length = sizeof(type);

	if (flags < 0 || fstat(fd, &st))
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
		kind = OTHER_SOCKET;
	if (type == SOCK_STREAM && !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) &&
	    is_internet(domain))
		kind = STREAM_SOCKET;
	if (kind == OTHER && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)))
		kind = REGULAR;
	/* Relaxed: anybody finds out the same. */
	store_relaxed(&d->nonblocking, (uint8_t) !!(flags & O_NONBLOCK));
	store_relaxed(&d->kind, (uint8_t)kind); /* relaxed: the same */
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

uint64_t descriptor_use(struct descriptor *d, int side)
{
	struct side *s = &d->side[side];
	uint64_t word;

	/* Relaxed: an event that comes later stays. */
	if (!(load_relaxed(&s->word) & (READY | EAGER)))
		return 0;
	word = lock(&s->word);
	unlock(&s->word, word & ~(READY | EAGER));
	return word & (READY | EAGER);
}

/* Whoever waits is told, or the next call. */
static void side_ready(struct side *s, uint64_t eager)
{
	uint64_t word = lock(&s->word);
	struct waiter *chain = wait_take_all(&s->waiters, 0, NULL);

	unlock(&s->word, (word & ~WAITERS) | (chain ? 0 : READY) | eager);
	waiters_wake(chain);
}

/* Those who wait without a stack know what was read, and not what was left: see may_be_ready(). */
static int look_again(const struct waiter *w, const void *unused)
{
	(void)unused;
	return w->what == FOR_EVENT ? 0 : KEEP;
}

/* Take out of a side those whom choose() names, and wake them. */
static void end_some(struct side *s, int (*choose)(const struct waiter *, const void *),
                     const void *arg, uint64_t more)
{
	uint64_t word = lock(&s->word);
	struct waiter *chain = wait_choose(&s->waiters, choose, arg, NULL);

	unlock(&s->word, (word & ~WAITERS) | (s->waiters ? WAITERS : 0) | more);
	waiters_wake(chain);
}

void descriptor_more(struct descriptor *d, int side, uint64_t used)
{
	if (!load_relaxed(&d->poller)) /* relaxed: without one READY is not looked at */
		return;
	side_ready(&d->side[side], used & EAGER);
	if (side == READING)
		end_some(&d->side[EITHER], look_again, NULL, 0);
}

/* ---- waiting ---- */

/*
 * A thread outside waits by itself. It has to see a close, which nothing else would tell it, and a
 * cancel, if it runs a function for a task.
 */
static int wait_as_thread(struct descriptor *d, int fd, short events, int64_t deadline)
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

	/*
	 * Acq_rel: one of those who wait first does it; the others' waits end by the event that
	 * adding it brings.
	 */
	if (load_acquire(&d->poller) || !cas_acq_rel(&d->poller, &none, w->poller))
		return 0;
	store_seq(&d->rt, w->rt);
	error = poller_watch(w->poller, fd, d);
	if (error) {
		/* Release: nobody watches it. Pairs with the load above. */
		store_release(&d->poller, (struct poller *)NULL);
		end_waits(d, 0);
	}
	return error;
}

int descriptor_wait(struct descriptor *d, int fd, int side, short events, int64_t deadline)
{
	struct side *s = &d->side[side];
	struct waiter *w;
	uint64_t word;
	int error;

	if (!stack_here())
		return wait_as_thread(d, fd, events, deadline);
	error = watch(d, fd);
	if (error)
		return error;
	w = wait_begin(NULL, FOR_READING + side, deadline);
	w->value = (void *)(intptr_t)fd;
	word = lock(&s->word);
	if (word & (READY | EAGER) || descriptor_closing(d) || !load_seq(&d->poller)) {
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
 * event has come since a read found nothing left. Asked under EITHER's lock: an event marks READING
 * before it comes to those in EITHER, and who reads and leaves something does the same
 * (descriptor_more). So either the mark is seen here, or the waiter is found there.
 */
static bool may_be_ready(struct descriptor *d, short events)
{
	return events & ~TO_READ || load_seq(&d->side[READING].word) & (READY | EAGER);
}

int descriptor_enlist(struct descriptor *d, int fd, struct waiter *w, int64_t deadline, bool looked)
{
	struct side *s = &d->side[EITHER];
	int result = watch(d, fd);
	uint64_t word;
	bool ending;

	if (result)
		return result;
	word = lock(&s->word);
	/* Under the lock: see when.c. */
	ending = load_seq(&w->rt->stopping) || load_seq(&w->rt->cancelled);
	if (descriptor_closing(d))
		result = -ECANCELED;
	else if (looked ? word & (READY | EAGER) : ending || may_be_ready(d, w->events))
		result = LOOK_FIRST;
	else if (ending)
		result = -ECANCELED;
	else if (!load_seq(&d->poller)) /* its runtime has gone meanwhile */
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
	struct side *s = &look_up(fd)->side[EITHER];
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

void descriptors_each(void (*visit)(struct descriptor *d, void *arg), void *arg)
{
	for (int i = 0; i < CHUNKS; i++) {
		struct descriptor *d = load_seq(&chunk[i]); /* seq_cst: see make_chunk() */

		for (int j = 0; d && j < PER_CHUNK; j++)
			visit(d + j, arg);
	}
}

void descriptors_cancel(struct filch *rt)
{
	descriptors_each(cancel_events, rt);
}

/* ---- the poller's news ---- */

/* A task looks for itself; who has no stack is told, if it is for this that it waits. */
static int told(const struct waiter *w, const void *news)
{
	int events = *(const int *)news, revents = events & (w->events | IN_ERROR);

	if (w->what != FOR_EVENT || w->events & ~WATCHED)
		return 0;
	return revents ? revents : KEEP;
}

/*
 * After a hang-up no more events come; a read stops short of urgent data though there is more
 * behind it.
 */
void descriptor_ready(struct descriptor *d, uint32_t events)
{
	bool gone = events & (EPOLLHUP | EPOLLERR);

	if (gone || events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI))
		side_ready(&d->side[READING], gone || events & (EPOLLRDHUP | EPOLLPRI) ? EAGER : 0);
	if (gone || events & EPOLLOUT)
		side_ready(&d->side[WRITING], gone ? EAGER : 0);
	/* Last: see may_be_ready(). READY in any case, since who is told uses nothing up. */
	end_some(&d->side[EITHER], told, &(int){ (int)events }, gone ? READY | EAGER : READY);
}

void descriptors_forget(struct filch *rt, struct poller *poller)
{
	for (int i = 0; i < CHUNKS; i++) {
		struct descriptor *d = load_acquire(&chunk[i]); /* acquire: as look_up() */

		for (int j = 0; d && j < PER_CHUNK; j++) {
			if (load_seq(&d[j].rt) != rt ||
			    (poller && load_seq(&d[j].poller) != poller))
				continue;
			unwatch(&d[j], i * PER_CHUNK + j, rt);
			/* Those who wait look again, and watch it where they run. */
			end_waits(&d[j], 0);
		}
	}
}

void descriptors_forget_all(void)
{
	for (int i = 0; i < CHUNKS; i++) {
		if (chunk[i])
			memset(chunk[i], 0, PER_CHUNK * sizeof(*chunk[i]));
	}
}
