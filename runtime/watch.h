/* SPDX-License-Identifier: MIT */
/*
 * The watcher: a thread that looks after what a busy worker leaves lying, and makes long
 * computations give way.
 */
#ifndef WATCH_H
#define WATCH_H

#include <pthread.h>
#include <stdint.h>

struct filch;

struct watch {
	pthread_t thread;
	uint32_t state;
	int64_t now; /* a clock to read, some milliseconds behind, while any worker is awake */
};

int watch_start(struct filch *rt); /* 0, or a negative errno */
void watch_stop(struct filch *rt); /* after rt has ended */

/* A worker has come out of its sleep. */
void watch_rouse(struct filch *rt);

#endif
