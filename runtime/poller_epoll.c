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

#define EVENTS 128 /* at once */

struct poller {
	int epoll, kick;
	unsigned watched;
	int kept; /* of the owner's events */
	struct epoll_event events[EVENTS];
};

struct poller *poller_new(void)
{
	struct poller *p = calloc(1, sizeof(*p));
	struct epoll_event wake = { .events = EPOLLIN, .data.ptr = NULL };

	if (!p)
		return NULL;
	p->epoll = epoll_create1(EPOLL_CLOEXEC);
	p->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->epoll < 0 || p->kick < 0 || epoll_ctl(p->epoll, EPOLL_CTL_ADD, p->kick, &wake)) {
		poller_free(p);
		return NULL;
	}
	return p;
}

void poller_free(struct poller *p)
{
	if (p->kick >= 0)
		close(p->kick);
	if (p->epoll >= 0)
		close(p->epoll);
	free(p);
}

/* noinline: the address of errno must not be kept across a wait of the caller. */
__attribute__((noinline)) int poller_watch(struct poller *p, int fd, struct descriptor *d)
{
	struct epoll_event all = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
		                   .data.ptr = d };
	int saved = errno, error = 0;

	sanitizer_before(&filch_watched_);
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &all) && errno != EEXIST)
		error = -errno;
	else
		/* Relaxed: read by the worker itself, and as a hint by others. */
		add_relaxed(&p->watched, 1);
	errno = saved;
	return error;
}

__attribute__((noinline)) void poller_forget(struct poller *p, int fd)
{
	int saved = errno;

	epoll_ctl(p->epoll, EPOLL_CTL_DEL, fd, NULL);
	add_relaxed(&p->watched, -1u); /* relaxed: as in poller_watch() */
	errno = saved;
}

bool poller_busy(const struct poller *p)
{
	return load_relaxed(&p->watched) > 0; /* relaxed: as in poller_watch() */
}

static int milliseconds(const struct timespec *t)
{
	if (!t)
		return -1;
	return t->tv_sec > 1000000 ? 1000000000
	                           : (int)(t->tv_sec * 1000 + (t->tv_nsec + 999999) / 1000000);
}

/* epoll_pwait2 came with Linux 5.11; before, a deadline is rounded up to a millisecond. */
static int wait_events(const struct poller *p, struct epoll_event *events,
                       const struct timespec *timeout)
{
	int n = epoll_pwait2(p->epoll, events, EVENTS, timeout, NULL);

	if (n < 0 && (errno == ENOSYS || errno == EPERM)) /* EPERM: a sandbox older than the call */
		n = epoll_wait(p->epoll, events, EVENTS, milliseconds(timeout));
	sanitizer_after(&filch_watched_);
	return n;
}

static void deliver(const struct epoll_event *events, int n)
{
	for (int i = 0; i < n; i++) {
		if (events[i].data.ptr)
			descriptor_ready(events[i].data.ptr, events[i].events);
	}
}

/*
 * A kick is level-triggered and taken by the owner alone: an edge would go to whoever polls first,
 * perhaps a thread that only helps, and the owner would sleep on.
 */
static void take_kick(struct poller *p)
{
	uint64_t kicks;

	if (read(p->kick, &kicks, sizeof(kicks)) < 0)
		return; /* taken already */
}

__attribute__((noinline)) void poller_wait(struct poller *p, int64_t deadline)
{
	int64_t left = deadline == FILCH_NEVER ? 0 : deadline - filch_now();
	struct timespec timeout = timespec_of(left > 0 ? left : 0);
	int saved = errno;

	p->kept = wait_events(p, p->events, deadline == FILCH_NEVER ? NULL : &timeout);
	for (int i = 0; i < p->kept; i++) {
		if (!p->events[i].data.ptr)
			take_kick(p);
	}
	errno = saved;
}

void poller_deliver(struct poller *p)
{
	int n = p->kept;

	p->kept = 0;
	deliver(p->events, n);
}

__attribute__((noinline)) void poller_poll(struct poller *p)
{
	struct epoll_event events[EVENTS];
	struct timespec none = { 0, 0 };
	int saved = errno, n = wait_events(p, events, &none);

	errno = saved;
	deliver(events, n);
}

__attribute__((noinline)) void poller_kick(struct poller *p)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(p->kick, &one, sizeof(one)) < 0)
		errno = saved; /* full: it is awake */
}
