/* SPDX-License-Identifier: MIT */
/* Waits that move from one worker's poller to another's: none is lost, and they move when they should. */
#include "../support.h"

#include <poll.h>
#include <sys/socket.h>

#include "descriptor.h"
#include "migrate.h"

TestSuite(migrate, .timeout = WATCHDOG);

/* What comes in at one end of a connection is sent back by tasks without a stack. */
struct echo {
	int near, far;
	filch *rt;
	struct worker *to; /* which worker each wait is to move to, or NULL: any */
	unsigned random;
	long ended;
};

static void tcp(struct echo *e, filch *rt)
{
	struct sockaddr_in at = loopback();
	socklen_t length = sizeof(at);
	int door = socket(AF_INET, SOCK_STREAM, 0);

	*e = (struct echo){ .rt = rt, .random = 1 };
	CHECK_EQ(bind(door, (struct sockaddr *)&at, length) | listen(door, 1), 0);
	CHECK_EQ(getsockname(door, (struct sockaddr *)&at, &length), 0);
	e->far = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_EQ(connect(e->far, (struct sockaddr *)&at, length), 0);
	e->near = accept(door, NULL, NULL);
	CHECK(e->near >= 0);
	close(door);
}

static struct worker *some_worker(struct echo *e)
{
	e->random = e->random * 1103515245 + 12345;
	return e->rt->worker[(e->random >> 16) % load_seq(&e->rt->known)];
}

static void wait_elsewhere(struct echo *e);

static void come(int result, void *echo)
{
	struct echo *e = echo;
	char c[16];
	ssize_t n = filch_recv(e->near, c, sizeof(c), 0, FILCH_NEVER);

	CHECK(result > 0);
	for (ssize_t i = 0; i < n; i++)
		CHECK_EQ(filch_send(e->near, c + i, 1, 0, FILCH_NEVER), 1);
	if (n > 0) {
		wait_elsewhere(e);
		return;
	}
	CHECK_EQ(filch_close(e->near), 0);
	set(&e->ended, 1);
}

static void wait_elsewhere(struct echo *e)
{
	struct worker *w = worker_here(), *to = load_seq(&e->to);

	if (!to)
		to = some_worker(e);
	w->moves_to = to != w ? to : NULL;
	w->moves = 1;
	CHECK_EQ(filch_submit_when(e->rt, e->near, POLLIN, FILCH_NEVER, come, e), 0);
}

static void begin(void *echo)
{
	wait_elsewhere(echo);
}

static void ask(struct echo *e, char c)
{
	char answer;

	CHECK_EQ(filch_write(e->far, &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(e->far, &answer, 1, FILCH_NEVER), 1);
	CHECK_EQ(answer, c);
}

static void hang_up(struct echo *e)
{
	CHECK_EQ(filch_close(e->far), 0);
	until(&e->ended, 1);
}

static uint64_t moves(filch *rt)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < load_seq(&rt->known); i++)
		n += load_relaxed(&rt->worker[i]->moved_away);
	return n;
}

/* ---- how ---- */

static bool is_watched_by(const struct echo *e, const struct worker *w)
{
	struct descriptor *d = descriptor_at(e->near);

	return load_seq(&d->receiver) == w->poller || load_seq(&d->poller) == w->poller;
}

Test(migrate, what_moves_is_watched_where_it_went)
{
	filch *rt = start_workers(2);
	struct echo e;

	tcp(&e, rt);
	CHECK_EQ(filch_run(rt, begin, &e), 0);
	for (unsigned i = 0; i < 4; i++) {
		store_seq(&e.to, rt->worker[i % 2]);
		do
			ask(&e, 'x'); /* wherever that runs, it waits there next */
		while (!is_watched_by(&e, rt->worker[i % 2]));
	}
	CHECK(moves(rt) >= 3);
	hang_up(&e);
	stop(rt);
}

/* ---- to one that is busy ---- */

struct computation {
	struct worker *worker;
	long begun, enough;
};

static void compute(void *computation)
{
	struct computation *c = computation;

	c->worker = worker_here();
	set(&c->begun, 1);
	while (!get(&c->enough))
		continue;
}

Test(migrate, what_moved_to_one_that_computes_is_taken_by_others)
{
	filch *rt = start_workers(2);
	struct computation c = { .begun = 0 };
	struct echo e;

	tcp(&e, rt);
	CHECK_EQ(filch_submit(rt, compute, &c), 0);
	until(&c.begun, 1);
	e.to = c.worker;
	CHECK_EQ(filch_run(rt, begin, &e), 0);
	CHECK_EQ(moves(rt), 1);
	ask(&e, 'x');
	set(&c.enough, 1);
	hang_up(&e);
	stop(rt);
}

/* ---- while all else happens ---- */

#define CLIENTS 4

struct client {
	filch *rt;
	long connections;
	unsigned seed;
};

static void talk(void *client)
{
	struct client *c = client;

	for (long i = 0; i < c->connections; i++) {
		struct echo e;

		tcp(&e, c->rt);
		e.random = c->seed * 77 + (unsigned)i;
		CHECK_EQ(filch_run(c->rt, begin, &e), 0);
		for (int j = 0; j < 20; j++)
			ask(&e, (char)j);
		hang_up(&e);
	}
}

Test(migrate, nothing_is_lost_however_they_move_and_workers_come_and_go)
{
	filch *rt = start_workers(3);
	struct client client[CLIENTS];
	struct beside b[CLIENTS];

	for (unsigned i = 0; i < CLIENTS; i++) {
		client[i] = (struct client){ rt, rounds(3000), i };
		beside(&b[i], talk, &client[i]);
	}
	for (long i = 0; i < rounds(3000); i++) {
		CHECK_EQ(filch_resize(rt, 1 + (unsigned)i % 4), 0);
		sleep_ms(2);
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		finish(&b[i]);
	CHECK(moves(rt) > 0);
	stop(rt);
}

static void nobody_comes(int result, void *n)
{
	CHECK_EQ(result, -ECANCELED);
	add(n, 1);
}

struct stopping {
	filch *rt;
	int near;
	long ended;
};

static void move_all(void *stopping)
{
	struct stopping *s = stopping;
	struct worker *w = worker_here();

	for (unsigned i = 0; i < 100; i++) {
		w->moves_to = s->rt->worker[i % 2];
		w->moves = 1;
		CHECK_EQ(filch_submit_when(s->rt, s->near, POLLIN, FILCH_NEVER, nobody_comes,
		                           &s->ended),
		         0);
	}
}

Test(migrate, a_stop_ends_what_moves)
{
	for (long i = 0; i < rounds(2000); i++) {
		struct stopping s = { .rt = start_workers(2) };
		struct echo e;

		tcp(&e, s.rt);
		s.near = e.near;
		CHECK_EQ(filch_submit(s.rt, move_all, &s), 0);
		stop(s.rt);
		CHECK_EQ(s.ended, 100);
		CHECK_EQ(filch_close(e.near) | filch_close(e.far), 0);
	}
}

/* ---- when ---- */

struct case_ {
	struct computation *other;
	int64_t woke, pace; /* of the other one, ns ago and between two items */
	unsigned more;      /* that it watches */
	bool together, apart;
};

static bool chosen(struct worker *w, void (*choose)(struct worker *w), struct worker *other)
{
	bool any = false;

	for (int i = 0; i < 2 && !any; i++) { /* the first candidate may be itself */
		w->moves = 1;
		choose(w);
		any = w->moves_to == other;
	}
	w->moves_to = NULL;
	return any;
}

static void nothing(void *arg)
{
	(void)arg;
}

/* With the other worker in a computation, which reads nothing of this. */
static void judge(void *case_)
{
	struct case_ *c = case_;
	struct worker *w = worker_here(), *other = c->other->worker;
	int64_t now = filch_now();

	for (int i = 0; i < 10; i++)
		CHECK_EQ(filch_submit(w->rt, nothing, NULL), 0);
	store_relaxed(&w->rt->watch.now, now);
	store_relaxed(&w->woke, now - 1000 * MS); /* it cannot keep up */
	store_relaxed(&w->pace, SOON);
	store_relaxed(&other->woke, now - c->woke);
	store_relaxed(&other->pace, c->pace);
	add_relaxed(&other->poller->watched, c->more);
	add_relaxed(&w->poller->watched, 10u);
	CHECK_EQ(chosen(w, migrate_together, other), c->together);
	CHECK_EQ(chosen(w, migrate_apart, other), c->apart);
	store_relaxed(&w->woke, now);
	CHECK_EQ(chosen(w, migrate_apart, other), false); /* it keeps up */
	add_relaxed(&other->poller->watched, -c->more);
	add_relaxed(&w->poller->watched, -10u);
}

Test(migrate, they_come_together_where_one_worker_keeps_up_and_go_apart_where_none_does)
{
	filch *rt = start_workers(2);
	struct computation busy = { .begun = 0 };
	struct case_ cases[] = {
		{ &busy, 0, 1000, 20, true, false },
		{ &busy, 1000 * MS, 1000, 20, false, false }, /* it has long not slept */
		{ &busy, 0, MS, 20, false, false },            /* its items are long */
		{ &busy, 0, 1000, 5, false, true },            /* it has less */
		{ &busy, 1000 * MS, 1000, 5, false, false },
	};

	CHECK_EQ(filch_submit(rt, compute, &busy), 0);
	until(&busy.begun, 1);
	for (size_t i = 0; i < LENGTH(cases); i++)
		CHECK_EQ(filch_run(rt, judge, &cases[i]), 0);
	set(&busy.enough, 1);
	stop(rt);
}
