/* SPDX-License-Identifier: MIT */
/*
 * The poller over epoll: any number of threads may wait in one, and an edge-triggered event goes to
 * one of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "atomic.h"
#include "descriptor.h"
#include "futex.h"
#include "include/filch.h"
#include "poller.h"
#include "sanitizer.h"

#define AT_ONCE 128 /* events */
#define KICK    UINT64_MAX

/* What an event is of: a number, and which of those that had it. */
static uint64_t key(int fd, uint32_t closes)
{
	return (uint64_t)closes << 32 | (unsigned)fd;
}

struct epoll {
	struct poller poller;
	int epoll, kick;
	int kept; /* of the owner's events */
	struct epoll_event events[AT_ONCE];
};

static struct epoll *epoll_of(struct poller *p)
{
	return container_of(p, struct epoll, poller);
}

static void epoll_free(struct poller *poller)
{
	struct epoll *p = epoll_of(poller);

	if (p->kick >= 0)
		close(p->kick);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
}

static struct poller *epoll_make(void)
{
	struct epoll *p = calloc(1, sizeof(*p));
	struct epoll_event wake = { .events = EPOLLIN, .data.u64 = KICK };

	if (!p)
		return NULL;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll < 0 || p->kick < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->kick, &wake)) {
		epoll_free(&p->poller);
		return NULL;
	}
	p->poller.kind = &poller_epoll;
	return &p->poller;
}

/* noinline: the address of errno must not be kept across a wait of the caller. */
static __attribute__((noinline)) int epoll_watch(struct poller *p, int fd, struct descriptor *d,
                                                enum watching what)
{
	struct epoll_event all = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
		                   .data.u64 = key(fd, load_seq(&d->closes)) };
	int saved = errno, epoll = epoll_of(p)->epoll, error = 0;

	(void)what;
	sanitizer_before(&filch_watched_);
	/* It is there already if it was closed behind our back while a copy is still open. */
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &all) &&
	    (errno != EEXIST || epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &all)))
		error = -errno;
	else
		add_relaxed(&p->watched, 1); /* relaxed: see there */
	errno = saved;
	return error;
}

static __attribute__((noinline)) void epoll_forget(struct poller *p, int fd, struct descriptor *d,
                                                  enum watching what)
{
	int saved = errno;

	(void)d;
	(void)what;
	epoll_ctl(epoll_of(p)->epoll, EPOLL_CTL_DEL, fd, NULL);
	add_relaxed(&p->watched, -1u); /* relaxed: see there */
	errno = saved;
}

static int milliseconds(const struct timespec *t)
{
	if (!t)
		return -1;
	return t->tv_sec > 1000000 ? 1000000000
	                           : (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

/* epoll_pwait2 came with Linux 5.11; before, a deadline is rounded up to a millisecond. */
static int wait_events(const struct epoll *p, struct epoll_event *events,
                       const struct timespec *timeout)
{
	int n = epoll_pwait2(p->epoll, events, AT_ONCE, timeout, NULL);

	if (n < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: a sandbox older than the call */
		n = epoll_wait(p->epoll, events, AT_ONCE, milliseconds(timeout));
	sanitizer_after(&filch_watched_);
	return n;
}

static void deliver(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t of = events[i].data.u64;

		if (of != KICK)
			descriptor_ready(descriptor_at((int)(uint32_t)of), (uint32_t)(of >> 32),
			                 events[i].events);
	}
}

/*
 * A kick is level-triggered and taken by the owner alone: an edge would go to whoever polls first,
 * perhaps a thread that only helps, and the owner would sleep on.
 */
static void take_kick(struct epoll *p)
{
	uint64_t kicks;

	if (read(p->kick, &kicks, sizeof(kicks)) < 0)
		return; /* taken already */
}

static __attribute__((noinline)) void epoll_wait_for(struct poller *poller, int64_t deadline)
{
	struct epoll *p = epoll_of(poller);
	int64_t left = deadline == FILCH_NEVER ? 0 : deadline - filch_now();
	struct timespec timeout = timespec_of(left > 0 ? left : 0);
	int saved = errno;

	p->kept = wait_events(p, p->events, deadline == FILCH_NEVER ? NULL : &timeout);
	for (int i = 0; i < p->kept; i++) {
		if (p->events[i].data.u64 == KICK)
			take_kick(p);
	}
	errno = saved;
}

static void epoll_deliver(struct poller *poller)
{
	struct epoll *p = epoll_of(poller);
	int n = p->kept;

	p->kept = 0;
	deliver(p->events, n);
}

static __attribute__((noinline)) void epoll_poll(struct poller *p)
{
	struct epoll_event events[AT_ONCE];
	struct timespec none = { 0, 0 };
	int saved = errno, n = wait_events(epoll_of(p), events, &none);

	errno = saved;
	deliver(events, n);
}

/* What is to be read is in the descriptor. */
static bool epoll_pending(struct poller *p)
{
	(void)p;
	return false;
}

static __attribute__((noinline)) void epoll_kick(struct poller *p)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(epoll_of(p)->kick, &one, sizeof(one)) < 0)
		errno = saved; /* full: it is awake */
}

/* What is watched in an epoll stays there when threads end. */
static void epoll_leave(struct poller *p)
{
	(void)p;
}

const struct poller_kind poller_epoll = {
	.make = epoll_make,
	.free = epoll_free,
	.watch = epoll_watch,
	.forget = epoll_forget,
	.poll = epoll_poll,
	.pending = epoll_pending,
	.wait = epoll_wait_for,
	.deliver = epoll_deliver,
	.kick = epoll_kick,
	.leave = epoll_leave,
};
