/* SPDX-License-Identifier: MIT */
/*
 * The access log: a JSON object a line for each request, written by a thread of its own.
 *
 *	{"time":"2026-01-31T23:59:59.123Z","client":"127.0.0.1:54321","method":"GET",
 *	 "target":"/plaintext","status":200,"bytes":13,"ms":0.042}
 *
 * bytes are those of the body, ms how long the answer took since the request had arrived. A request
 * that was refused has no method or target. A target that is too long ends in "...". A client at a
 * local socket is "unix". Where lines had to be left out, {"lost":N} stands in their place: no
 * request waits for the log. Lines of two workers within the same moment may stand in either order.
 */
#ifndef LOG_H
#define LOG_H

#include <filch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

#define LOG_PARTS 64
#define LOG_ROOM  (512 * 1024) /* bytes in each part: a tenth of a second of a busy worker */

struct log {
	int fd; /* -1: there is no log. May be another file from one use to the next */
	int wake; /* an eventfd, for the thread */
	unsigned address; /* the length of a client's; 0: clients have none */
	atomic_bool asleep, stopping;
	atomic_size_t lost;
	pthread_t thread;
	char *spare;
	bool torn; /* the thread's: the last line that was written has no end yet */
	struct log_part {
		_Alignas(64) filch_mutex lock; /* protects the rest; nobody waits while holding it */
		char *lines;
		size_t length;
	} part[LOG_PARTS];
};

struct log_line {
	int client; /* its descriptor */
	const char *method;
	struct text target;
	int status;
	size_t bytes;
	int64_t took; /* ns */
};

/* All of them -errno. */
int log_open(struct log *l, const char *path, unsigned address); /* path NULL: no log */
int log_reopen(struct log *l, const char *path);

void log_add(struct log *l, const struct log_line *line);
void log_close(struct log *l); /* what has been added is written; the process is about to end */

#endif
