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

#include "wait.h"

struct filch;
struct poller;

struct side {          /* reading, writing, or either (filch_poll) */
	uint64_t word; /* lock, waiters, READY, EAGER */
	void *waiters;
};

#define READY VALUE_ONE /* an event came and nobody has used it yet */
/* Do not wait for an event first: the other end hung up, or sent urgent data. */
#define EAGER (VALUE_ONE << 1)

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
	struct poller *poller; /* that watches it, or NULL */
	struct filch *rt;      /* whose poller that is */
	uint32_t users;        /* calls in progress, and CLOSING */
	uint8_t kind;
	uint8_t nonblocking; /* known to be */
};

/* NULL and *error for a number that is no descriptor, or without memory. */
struct descriptor *descriptor_enter(int fd, int *error);
void descriptor_leave(struct descriptor *d, int fd);

/* Note what is known of a descriptor that was made just now. */
void descriptor_made(int fd, int kind, bool nonblocking);
int descriptor_kind(struct descriptor *d, int fd);

/*
 * May a call on this side do something? False: no event has come since the last one that could not.
 */
bool descriptor_may(struct descriptor *d, int side);
/*
 * Forget what is known to be ready before the call that uses it up; returns it. Bring it back
 * unless the call had nothing to do: to the next call, or to whoever waits.
 */
uint64_t descriptor_use(struct descriptor *d, int side);
void descriptor_more(struct descriptor *d, int side, uint64_t used);

/*
 * Wait until a call may do something (events: what poll(2) calls it): 0, -ETIMEDOUT, -ECANCELED
 * once closing, or what the poller says.
 */
int descriptor_wait(struct descriptor *d, int fd, int side, short events, int64_t deadline);

/* The poller's news: EPOLLIN and so on. */
void descriptor_ready(struct descriptor *d, uint32_t events);

/* A poller of rt, or (NULL) all of them, will not be looked at any more. */
void descriptors_forget(struct filch *rt, struct poller *poller);

#endif
