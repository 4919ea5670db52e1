/* SPDX-License-Identifier: MIT */
/* How much processor time passes while nothing happens. */
#ifndef FILCH_TESTS_IDLE_H
#define FILCH_TESTS_IDLE_H

#include "support.h"

#include <sys/resource.h>
#include <sys/socket.h>

static inline int64_t processor_time(void)
{
	struct rusage r;

	CHECK_EQ(getrusage(RUSAGE_SELF, &r), 0);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 * MS + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1000;
}

/* Over that time the whole process uses at most that share of one processor. */
static inline void stays_idle(int64_t ns, double share)
{
	int64_t before;

	usleep(50000); /* whatever was going on has come to its end */
	before = processor_time();
	usleep((useconds_t)(ns / 1000));
	CHECK(processor_time() - before <= (int64_t)((double)ns * share));
}

static inline void sleep_through(void *ns)
{
	CHECK_EQ(filch_sleep_until(filch_after(*(int64_t *)ns)), 0);
}

static inline void count_one(void *n)
{
	add(n, 1);
}

static inline void receive_epipe(void *ch)
{
	char c;

	CHECK_EQ(filch_chan_recv(ch, &c, FILCH_NEVER), -EPIPE);
}

static inline void read_end(void *fd)
{
	char c;

	CHECK_EQ(filch_read(*(int *)fd, &c, 1, FILCH_NEVER), 0);
}

static inline void waiters_stay_idle(int64_t ns, double share)
{
	filch *rt = start();
	filch_chan *ch = filch_chan_new(1, 0);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(filch_submit(rt, receive_epipe, ch), 0);
		CHECK_EQ(filch_submit(rt, read_end, pair), 0);
	}
	stays_idle(ns, share);
	filch_chan_close(ch);
	CHECK_EQ(filch_close(pair[1]), 0);
	stop(rt);
	CHECK_EQ(filch_close(pair[0]), 0);
	filch_chan_free(ch);
}

#endif
