/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets: one for each worker, so that each has connections of its own. The kernel
 * deals them out (SO_REUSEPORT). A door that waits is put down like an idle connection; where that
 * cannot be, a thread stands at it.
 */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct server;
struct options;

#define DOORS 64

struct door {
	struct server *server;
	int fd;
	int last; /* the same socket, for the last round after fd has been closed */
};

struct listener {
	struct door door[DOORS];
	unsigned doors;
	atomic_uint open; /* of these */
	atomic_bool stopping;
	bool alone;       /* the socket was given to us: there can be no other beside it */
	char address[64]; /* HOST:PORT, as in a URL */
	unsigned port;
	unsigned length; /* of an address, its own or a client's; 0: a local socket */
};

/* Bind and listen. 0, or the exit code after one line on stderr. */
int listener_open(struct listener *l, const struct options *options);

/* Up to that many doors. Those that cannot be had are done without. */
void listener_widen(struct server *s, unsigned doors);

/* Accept, and have each connection served, until listener_stop(). -errno. */
int listener_start(struct server *s);
void listener_stop(struct server *s);

#endif
