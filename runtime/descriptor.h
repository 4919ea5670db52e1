/* SPDX-License-Identifier: MIT */
/*
 * What is known of each file descriptor of the process: who waits on it, and which poller watches
 * it.
 *
 * A call enters a descriptor and leaves it again; a close marks it, ends the waits, and the last
 * one to leave really closes it. So a number is not given to somebody else while a call still uses
 * it.
 */
#ifndef DESCRIPTOR_H
#define DESCRIPTOR_H

#include "staged.h"
#include "wait.h"

struct filch;
struct poller;

struct side {          /* reading, writing, or either (filch_poll) */
	uint64_t word; /* lock, waiters, EAGER, and how many events came */
	void *waiters;
};

/* The other end hung up, or sent urgent data: what a read leaves, no event may tell of. */
#define EAGER VALUE_ONE
#define EVENT (VALUE_ONE << 1)

enum { READING, WRITING, EITHER, SIDES };
enum {
	UNKNOWN,
	STREAM_SOCKET,
	OTHER_SOCKET,
	REGULAR,
	OTHER
}; /* STREAM_SOCKET: TCP; OTHER: pipes and the like */

struct descriptor {
	struct side side[SIDES];
	uint64_t dry; /* the events after which a read found nothing left, or left nothing */
	struct poller *poller; /* that watches it, or NULL */
	struct filch *rt;      /* whose poller that is */
	/* That receives its bytes ahead of the reads, or NULL; changed under READING's lock. */
	struct poller *receiver;
	struct staged staged;
	uint32_t held;       /* by the kernel, beyond a close, for polls that have not ended yet */
	uint32_t users;        /* calls in progress, and CLOSING */
	uint32_t closes;       /* how often its number was closed; does not change under a call */
	uint8_t kind;
	uint8_t nonblocking; /* known to be */
	uint8_t reads;       /* a stream on which filch_read, readv or recv was called */
	uint8_t accepts;     /* filch_accept was called: nothing else comes in there */
};

/* NULL and *error for a number that is no descriptor, or without memory. */
struct descriptor *descriptor_enter(int fd, int *error);
void descriptor_leave(struct descriptor *d, int fd);

/* Note what is known of a descriptor that was made just now. */
void descriptor_made(int fd, int kind, bool nonblocking);
int descriptor_kind(struct descriptor *d, int fd);

/* The events until now: asked before a call that may find nothing to do, for who waits then. */
uint64_t descriptor_seen(const struct descriptor *d, int side);

/* Nothing is left to read of what these events told; and is it known that it was so? */
void descriptor_note_dry(struct descriptor *d, uint64_t seen);
bool descriptor_is_dry(const struct descriptor *d, uint64_t seen);

/* Somebody has called filch_close(). */
bool descriptor_closing(struct descriptor *d);

/* A read will stop short of where urgent data were, which an event need not have told. */
void descriptor_be_eager(struct descriptor *d);

/*
 * Wait until there is more than the events seen (events: what poll(2) calls it): 0, -ETIMEDOUT,
 * -ECANCELED once closing or if the task was cancelled, or what the poller says.
 */
int descriptor_wait(struct descriptor *d, int fd, int side, short events, uint64_t seen,
                    int64_t deadline);

/* Take it out of its poller if that is rt's; with NULL rt, out of everything. */
void descriptor_unwatch(struct descriptor *d, int fd, struct filch *rt);
void descriptor_until_let_go(struct descriptor *d);

/* A wait that must look again, or (closing) ends. Every side, whoever waits. */
void descriptor_end_waits(struct descriptor *d, int result);

/* What poll(2) says it is ready for now, or bytes that are here: revents, 0 or an error. */
int descriptor_ready_for(struct descriptor *d, int fd, short events);
/* The same, also for what is on its way here. */
int descriptor_look(struct descriptor *d, int fd, short events);

/*
 * For when.c: put a waiter that has no stack among those who wait for w->events, with a timer
 * unless deadline is FILCH_NEVER; on a worker of its runtime. 0: it is in, and may be gone by now.
 * LOOK_FIRST: it may be ready, descriptor_look(), and if it is not, come back with what EITHER had
 * seen before. -ECANCELED: closing, or the runtime is stopping or was cancelled. Or what the poller
 * says.
 */
#define LOOK_FIRST 1
int descriptor_enlist(struct descriptor *d, int fd, struct waiter *w, int64_t deadline,
                      const uint64_t *looked);

/* Out of that list, if it is still there: who gave up at a deadline. */
void descriptor_delist(int fd, struct waiter *w);

/* A runtime stops, or is cancelled: what waits for it without a stack ends with -ECANCELED. */
void descriptors_cancel(struct filch *rt);
/* ---- staged.c ---- */

/*
 * Read from a stream, without waiting: what was received ahead of the reads, or else by
 * receive(arg), which is called only when nothing can come in between. *more: there may be more to
 * be had without another event.
 */
ssize_t descriptor_read(struct descriptor *d, const struct msghdr *to, int flags,
                        ssize_t (*receive)(void *arg), void *arg, bool *more);
bool descriptor_staged(struct descriptor *d); /* is there something to be read so? */

/*
 * The deadline of a read has passed, and nothing was there. Is something on its way that came
 * before? Then look again: at once, or by the new deadline. But once only (before).
 */
bool descriptor_expects(struct descriptor *d, int64_t *deadline, bool *before);

/* ---- for pollers ---- */

struct descriptor *descriptor_at(int fd); /* one that was entered before */

/* Those who wait for either: bytes were received, and (more) nothing else has happened. */
void descriptor_tell(struct descriptor *d, uint32_t closes, bool more);

/* The poller's news, EPOLLIN and so on, of what it began to watch after that many closes. */
void descriptor_ready(struct descriptor *d, uint32_t closes, uint32_t events);
/* It has let go of the descriptor. */
void descriptor_unwatched(struct descriptor *d, uint32_t closes, struct poller *by);
/*
 * It has received n bytes into b, or (NULL) an end or an error, -ENOBUFS or -ECANCELED for none of
 * the stream's; more: it goes on.
 */
void descriptor_received(struct descriptor *d, int fd, uint32_t closes, struct buffer *b,
                         int n, bool more);

/* Every descriptor that filch may have seen. */
void descriptors_each(void (*visit)(struct descriptor *d, void *arg), void *arg);
void descriptors_forget_all(void); /* in a child of fork(2) */

/* A poller of rt, or (NULL) all of them, will not be looked at any more. */
void descriptors_forget(struct filch *rt, struct poller *poller);

#endif
