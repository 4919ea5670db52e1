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

#ifdef UNDER_TSAN
#define SHARE 20 /* its own thread looks at memory now and then */
#else
#define SHARE 100
#endif
#define TRIES 5 /* on a loaded machine what went on before ends late */

/*
 * Over that time the whole process uses at most one part in SHARE of one processor; what spins does
 * so each time.
 */
static inline void stays_idle(int64_t ns)
{
	int64_t used = INT64_MAX;

	for (int i = 0; i < TRIES && used > ns / SHARE; i++) {
		int64_t before;

		usleep((useconds_t)(slack(50 * MS) / 1000));
		before = processor_time();
		usleep((useconds_t)(ns / 1000));
		used = processor_time() - before;
	}
	if (used > ns / SHARE)
		check_failed(__FILE__, __LINE__, "nanoseconds of processor time, and those allowed", used, ns / SHARE);
}

static inline void sleep_until_cancelled(void *unused)
{
	(void)unused;
	CHECK_EQ(filch_sleep_until(filch_after(3600 * 1000 * MS)), -ECANCELED);
}

static inline void sleeper_stays_idle(int64_t ns)
{
	filch *rt = start();

	CHECK_EQ(filch_submit(rt, sleep_until_cancelled, NULL), 0);
	stays_idle(ns);
	filch_cancel(rt);
	stop(rt);
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

static inline void waiters_stay_idle(int64_t ns)
{
	filch *rt = start();
	filch_chan *ch = filch_chan_new(1, 0);
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(filch_submit(rt, receive_epipe, ch), 0);
		CHECK_EQ(filch_submit(rt, read_end, pair), 0);
	}
	stays_idle(ns);
	filch_chan_close(ch);
	CHECK_EQ(filch_close(pair[1]), 0);
	stop(rt);
	CHECK_EQ(filch_close(pair[0]), 0);
	filch_chan_free(ch);
}

#endif
