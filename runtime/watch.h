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

/* Since when nobody wanted the forks that there are, or 0; and the CPU time used by then. See crowd.c. */
struct usage {
	int64_t since, cpu;
};

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
