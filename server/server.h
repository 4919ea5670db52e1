/* SPDX-License-Identifier: MIT */
/*
 * The server as a whole, on whatever runs its connections: filchd gives it a filch runtime, the
 * bench gives it plain threads, and nothing below knows the difference.
 */
#ifndef SERVER_H
#define SERVER_H

#include <filch.h>
#include <stdatomic.h>
#include <stddef.h>

#include "cache.h"
#include "clients.h"
#include "desk.h"
#include "listen.h"
#include "log.h"
#include "options.h"

struct executor {
	/* Both run fn(arg), some time soon, and may refuse with -errno. */
	int (*serve)(void *context, filch_fn *fn, void *arg);  /* a connection, until it ends */
	int (*accept)(void *context, filch_fn *fn, void *arg); /* the accept loop; without a when */
	/* NULL, or as filch_submit_when: then idle connections, and doors, are put down. */
	int (*when)(void *context, int fd, short events, int64_t deadline,
	            void (*fn)(int events, void *arg), void *arg);
	void *context;
	filch *runtime; /* for /stats; NULL: there is none */
	const char *what;
};

#define COUNTERS 64

struct server {
	const struct options *options;
	const struct executor *executor;
	struct listener listener;
	struct clients clients;
	struct desks desks;
	int root;              /* a directory, or -1; may be another one from one use to the next */
	struct cache cache;    /* of what is below it */
	struct log log;
	int signals;           /* a signalfd */
	atomic_size_t pending; /* requests in progress; only counted where there is a limit */
	struct {               /* requests answered, spread so that workers do not share a line */
		_Alignas(64) atomic_size_t n;
	} answered[COUNTERS];
};

/*
 * Listen, and from now on take signals. Comes before the first thread, so that every one of them
 * leaves signals alone. 0, or the exit code after one line on stderr.
 */
int server_open(struct server *s, const struct options *options);

/*
 * Serve until SIGTERM or SIGINT. The exit code: 0 if it drained; 1 if not, and then connections
 * may still be in progress, with nothing left to do but to end the process.
 */
int server_run(struct server *s, const struct executor *executor);

void server_count(struct server *s, size_t requests);
size_t server_answered(const struct server *s);

#endif
