/* SPDX-License-Identifier: MIT */
/*
 * What a poller is to its callers: each worker has one; it watches descriptors, and tells
 * descriptor_ready() when something can be done with one. It may also receive what comes in ahead
 * of the reads, and bring it to descriptor_received(). What is handed to it stays until it is
 * forgotten, or the poller itself lets go of it (descriptor_unwatched()), or is freed.
 *
 * Any thread may call poller_poll(), poller_forget(), poller_pending() and poller_kick(); the
 * others are for the worker that owns it.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "atomic.h"

struct poller;
struct descriptor;

enum watching { EVENTS, BYTES };

struct poller_kind {
	bool receives; /* it can watch for BYTES */
	struct poller *(*make)(void);
	void (*free)(struct poller *p);
	int (*watch)(struct poller *p, int fd, struct descriptor *d, enum watching what);
	void (*forget)(struct poller *p, int fd, struct descriptor *d, enum watching what);
	void (*poll)(struct poller *p);
	bool (*pending)(struct poller *p);
	void (*wait)(struct poller *p, int64_t deadline);
	void (*deliver)(struct poller *p);
	void (*kick)(struct poller *p);
	void (*leave)(struct poller *p);
};

struct poller {
	const struct poller_kind *kind;
	unsigned watched; /* how much; relaxed: read by the worker itself, and as a hint by others */
};

extern const struct poller_kind poller_epoll;
const struct poller_kind *poller_uring(void); /* NULL where it does not work */

/* NULL: no memory or no descriptor left. */
static inline struct poller *poller_new(const struct poller_kind *kind)
{
	return kind->make();
}

static inline void poller_free(struct poller *p)
{
	p->kind->free(p);
}

/*
 * 0 or an error; -EPERM for what the kernel cannot wait for. BYTES only where the kind receives
 * them, and for a stream that nobody else reads.
 */
static inline int poller_watch(struct poller *p, int fd, struct descriptor *d, enum watching what)
{
	return p->kind->watch(p, fd, d, what);
}

static inline void poller_forget(struct poller *p, int fd, struct descriptor *d,
                                 enum watching what)
{
	p->kind->forget(p, fd, d, what);
}

/* Deliver what is ready now. */
static inline void poller_poll(struct poller *p)
{
	p->kind->poll(p);
}

/* May something have come that poller_poll() has not delivered yet? */
static inline bool poller_pending(struct poller *p)
{
	return p->kind->pending(p);
}

/* Wait for something until the deadline, and keep it; then deliver what was kept. */
static inline void poller_wait(struct poller *p, int64_t deadline)
{
	p->kind->wait(p, deadline);
}

static inline void poller_deliver(struct poller *p)
{
	p->kind->deliver(p);
}

/* Is anything watched? Then a worker that sleeps must do it in poller_wait(). */
static inline bool poller_busy(const struct poller *p)
{
	return load_relaxed(&p->watched) > 0; /* relaxed: see there */
}

/* Make poller_wait() return, now or when it is called next. */
static inline void poller_kick(struct poller *p)
{
	p->kind->kick(p);
}

/* The owner's thread is about to end: let go of everything that ends with it. */
static inline void poller_leave(struct poller *p)
{
	p->kind->leave(p);
}

#endif
