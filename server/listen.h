/* SPDX-License-Identifier: MIT */
/* The listening socket, and the task that accepts. */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct server;
struct options;

struct listener {
	int fd;
	int last; /* the same socket, for the last round after fd has been closed */
	atomic_bool stopping;
	char address[64]; /* HOST:PORT, as in a URL */
	unsigned port;
};

/* Bind and listen. 0, or the exit code after one line on stderr. */
int listener_open(struct listener *l, const struct options *options);

/* Accept, and have each connection served, until listener_stop(). A filch_fn on a struct server. */
void listener_run(void *server);
void listener_stop(struct server *s);

#endif
