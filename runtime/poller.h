/* SPDX-License-Identifier: MIT */
/*
 * What a poller is to its callers: each worker has one; it watches descriptors, and tells
 * descriptor_ready() when something can be done with one. A descriptor is handed to it once and
 * stays until it is closed or the poller is freed.
 *
 * Any thread may call poller_poll(), poller_watch(), poller_forget() and poller_kick().
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>
#include <stdint.h>

struct poller;
struct descriptor;

struct poller *poller_new(void); /* NULL: no memory or no descriptor left */
void poller_free(struct poller *p);

/* 0, -EPERM for what the kernel cannot wait for, or another error of epoll_ctl. */
int poller_watch(struct poller *p, int fd, struct descriptor *d);
void poller_forget(struct poller *p, int fd);

/* Deliver what is ready now, from any thread. */
void poller_poll(struct poller *p);

/*
 * For the worker that owns it: wait for something until the deadline, and keep it; then deliver
 * what was kept.
 */
void poller_wait(struct poller *p, int64_t deadline);
void poller_deliver(struct poller *p);

/* Is anything watched? Then a worker that sleeps must do it in poller_wait(). */
bool poller_busy(const struct poller *p);

/* Make poller_wait() return, now or when it is called next. */
void poller_kick(struct poller *p);

#endif
