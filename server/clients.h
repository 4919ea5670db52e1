/* SPDX-License-Identifier: MIT */
/*
 * Everybody who is connected: how many there may be, and how a drain finds those who only wait.
 *
 * A client is in a list exactly as long as its descriptor is its own, so shutdown(2) under the lock
 * cannot hit a descriptor that has been closed and given to somebody else. There are many lists, by
 * descriptor, so that hardly anybody meets another at a lock: who waits for one needs a stack.
 */
#ifndef CLIENTS_H
#define CLIENTS_H

#include <filch.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum client_state {
	CLIENT_BUSY,
	CLIENT_FRESH, /* has not asked for anything yet */
	CLIENT_IDLE,  /* was answered, and may ask for more */
};

struct client {
	struct client *next, *previous;
	int fd;
	atomic_int state;
	atomic_bool cut; /* it was we who ended its input */
};

/* RUNNING, then DRAINING; a little later HURRYING, when those who came last had time to ask too. */
enum stage { RUNNING, DRAINING, HURRYING };

#define CLIENT_PARTS 64

struct clients {
	struct client_part {
		_Alignas(64) filch_mutex lock; /* protects the list; nobody waits while holding it */
		struct client list;
	} part[CLIENT_PARTS];
	filch_sem places;
	size_t most; /* of these, at first */
	atomic_size_t count;
	atomic_int stage;
	atomic_bool open; /* more may come */
	int all_gone;     /* an eventfd: not open, and count is 0 */
};

int clients_init(struct clients *all, size_t places); /* -errno */
void clients_join(struct clients *all, struct client *one);
void clients_leave(struct clients *all, struct client *one); /* closes its descriptor too */
void clients_closed(struct clients *all);                    /* no more of them will come */

/* Whoever only waits hears the end of its connection, and what it had sent before that. */
void clients_drain(struct clients *all, enum stage stage);

/* A client that is about to wait for a request: false, if it should not. */
bool client_may_wait(struct clients *all, struct client *one, enum client_state state);

#endif
