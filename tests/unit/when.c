/* SPDX-License-Identifier: MIT */
/* Tasks that wait for a descriptor without a stack: each runs exactly once, with what it waited for. */
#include "../support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

TestSuite(when, .timeout = WATCHDOG);

struct once { /* of a descriptor pair */
	int pair[2];
	filch *rt;
	long runs, result;
	long busy;
};

static void sockets(struct once *o)
{
	*o = (struct once){ .rt = NULL };
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, o->pair), 0);
}

static void close_both(struct once *o)
{
	CHECK_EQ(filch_close(o->pair[0]) | filch_close(o->pair[1]), 0);
}

static void note(int result, void *once)
{
	struct once *o = once;

	set(&o->result, result);
	add(&o->runs, 1);
}

static void write_one(struct once *o)
{
	CHECK_EQ(filch_write(o->pair[1], "x", 1, FILCH_NEVER), 1);
}

static void when(filch *rt, struct once *o, short events, int64_t deadline)
{
	CHECK_EQ(filch_submit_when(rt, o->pair[0], events, deadline, note, o), 0);
}

/* From a task of the runtime, or from outside. */
static void both(void (*body)(void *rt))
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, body, rt), 0);
	body(rt);
	stop(rt);
}

/* ---- what it is called with ---- */

static void readiness(void *rt)
{
	struct once o;
	char c;

	sockets(&o);
	when(rt, &o, POLLIN, FILCH_NEVER);
	sleep_ms(5);
	CHECK_EQ(get(&o.runs), 0);
	write_one(&o);
	until(&o.runs, 1);
	CHECK_EQ(get(&o.result), POLLIN);
	when(rt, &o, POLLIN, 0); /* still there, for nobody has read it: the deadline does not matter */
	until(&o.runs, 2);
	CHECK_EQ(get(&o.result), POLLIN);
	CHECK_EQ(filch_read(o.pair[0], &c, 1, 0), 1);
	when(rt, &o, POLLIN | POLLOUT, FILCH_NEVER);
	until(&o.runs, 3);
	CHECK_EQ(get(&o.result), POLLOUT);
	when(rt, &o, POLLIN, FILCH_NEVER);
	CHECK_EQ(filch_close(o.pair[1]), 0);
	until(&o.runs, 4);
	CHECK(get(&o.result) > 0 && get(&o.result) & (POLLIN | POLLHUP));
	when(rt, &o, POLLIN, FILCH_NEVER);
	until(&o.runs, 5);
	CHECK_EQ(filch_close(o.pair[0]), 0);
}

Test(when, it_runs_once_it_is_ready)
{
	both(readiness);
}

static void lateness(void *rt)
{
	struct once o;
	int64_t began = filch_now();

	sockets(&o);
	when(rt, &o, POLLIN, began + 10 * MS);
	until(&o.runs, 1);
	CHECK_EQ(get(&o.result), -ETIMEDOUT);
	CHECK(filch_now() >= began + 10 * MS);
	when(rt, &o, POLLIN, 0);
	until(&o.runs, 2);
	CHECK_EQ(get(&o.result), -ETIMEDOUT);
	when(rt, &o, POLLIN, filch_after(1000000 * MS));
	write_one(&o);
	until(&o.runs, 3);
	CHECK_EQ(get(&o.result), POLLIN);
	close_both(&o);
}

Test(when, it_runs_at_its_deadline)
{
	both(lateness);
}

/* Ordinary bytes are no urgent ones, whatever wakes up with them. */
static void urgency(void *rt)
{
	struct once o;

	sockets(&o);
	when(rt, &o, POLLPRI, filch_after(20 * MS));
	sleep_ms(5);
	write_one(&o);
	until(&o.runs, 1);
	CHECK_EQ(get(&o.result), -ETIMEDOUT);
	close_both(&o);
}

Test(when, it_runs_for_nothing_but_what_it_waits_for)
{
	both(urgency);
}

static void closing(void *rt)
{
	struct once o;

	sockets(&o);
	for (int i = 0; i < 3; i++)
		when(rt, &o, POLLIN, i ? FILCH_NEVER : filch_after(1000000 * MS));
	sleep_ms(5);
	close_both(&o);
	until(&o.runs, 3);
	CHECK_EQ(get(&o.result), -ECANCELED);
}

Test(when, it_is_cancelled_by_a_close)
{
	both(closing);
}

static void refusals(void *rt)
{
	struct once o;
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	sockets(&o);
	CHECK_EQ(filch_submit_when(NULL, o.pair[0], POLLIN, FILCH_NEVER, note, &o), -EINVAL);
	CHECK_EQ(filch_submit_when(rt, o.pair[0], POLLIN, FILCH_NEVER, NULL, &o), -EINVAL);
	CHECK_EQ(filch_submit_when(rt, -1, POLLIN, FILCH_NEVER, note, &o), -EBADF);
	CHECK_EQ(filch_submit_when(rt, 19999, POLLIN, FILCH_NEVER, note, &o), -EBADF);
	CHECK_EQ(filch_submit_when(rt, file, POLLIN, FILCH_NEVER, note, &o), 0); /* always ready */
	until(&o.runs, 1);
	CHECK_EQ(get(&o.result), POLLIN);
	CHECK_EQ(filch_close(file), 0);
	close_both(&o);
	CHECK_EQ(get(&o.runs), 1);
}

Test(when, what_cannot_be_waited_for_is_refused_or_ready)
{
	both(refusals);
}

/* ---- what it costs, and is counted as ---- */

static void count_one(void *n)
{
	add(n, 1);
}

Test(when, what_waits_has_no_stack_and_is_not_pending)
{
	filch *rt = start_with((struct filch_options){ .workers = workers(), .max_pending = 1 });
	struct filch_stats before, after;
	struct once o;
	long n = 0;

	sockets(&o);
	CHECK_EQ(filch_stats(rt, -1, &before), 0);
	for (int i = 0; i < 1000; i++)
		when(rt, &o, POLLIN, i % 2 ? FILCH_NEVER : filch_after(1000000 * MS));
	CHECK_EQ(filch_submit(rt, count_one, &n), 0); /* the one place is free */
	do {
		CHECK_EQ(filch_stats(rt, -1, &after), 0);
	} while (after.pending > 0);
	CHECK_EQ(after.stacks, before.stacks);
	write_one(&o);
	until(&o.runs, 1000);
	CHECK_EQ(get(&o.result), POLLIN);
	do { /* a task is counted after its end */
		CHECK_EQ(filch_stats(rt, -1, &after), 0);
	} while (after.pending > 0 || after.tasks < before.tasks + 1001);
	CHECK_EQ(after.tasks, before.tasks + 1001);
	stop(rt);
	close_both(&o);
}

/* ---- stopping ---- */

static void again(int result, void *once)
{
	struct once *o = once;

	note(result, o);
	if (get(&o->runs) < 10) /* a task of a runtime that stops is still served */
		when(o->rt, o, POLLIN, FILCH_NEVER);
}

Test(when, a_stop_cancels_what_is_not_ready)
{
	for (int round = 0; round < 20; round++) {
		filch *rt = start();
		struct once o, ready;

		sockets(&o);
		sockets(&ready);
		o.rt = rt;
		when(rt, &o, POLLIN, FILCH_NEVER);
		when(rt, &o, POLLIN, filch_after(1000000 * MS));
		CHECK_EQ(filch_submit_when(rt, o.pair[0], POLLIN, FILCH_NEVER, again, &o), 0);
		write_one(&ready);
		when(rt, &ready, POLLIN, FILCH_NEVER);
		if (round % 2)
			sleep_ms(1);
		stop(rt);
		CHECK(get(&o.runs) >= 3 && get(&o.runs) <= 10);
		CHECK_EQ(get(&o.result), -ECANCELED);
		CHECK_EQ(get(&ready.runs), 1);
		CHECK_EQ(get(&ready.result), POLLIN);
		close_both(&o);
		close_both(&ready);
	}
}

/* ---- cancelling ---- */

Test(when, a_cancel_of_the_runtime_cancels_what_is_not_ready)
{
	filch *rt = start(), *other = start();
	struct once o, kept;

	sockets(&o);
	kept = o;
	for (int i = 0; i < 10; i++)
		when(rt, &o, POLLIN, FILCH_NEVER);
	when(other, &kept, POLLIN, FILCH_NEVER);
	sleep_ms(2);
	filch_cancel(rt);
	until(&o.runs, 10);
	CHECK_EQ(get(&o.result), -ECANCELED);
	when(rt, &o, POLLIN, FILCH_NEVER); /* also one that comes later */
	until(&o.runs, 11);
	CHECK_EQ(get(&o.result), -ECANCELED);
	when(rt, &o, POLLOUT, FILCH_NEVER); /* but what need not wait does not */
	until(&o.runs, 12);
	CHECK_EQ(get(&o.result), POLLOUT);
	CHECK_EQ(get(&kept.runs), 0);
	stop(rt);
	stop(other);
	CHECK_EQ(get(&kept.runs), 1);
	CHECK_EQ(get(&kept.result), -ECANCELED);
	close_both(&o);
}

/* ---- many, and races ---- */

/* A connection as a server has it: nothing on a stack between two messages. */
static void serve(int revents, void *once)
{
	struct once *o = once;
	char c[4];
	ssize_t n;

	CHECK(revents > 0);
	n = filch_recv(o->pair[0], c, sizeof(c), MSG_DONTWAIT, 0);
	if (n == 0) {
		add(&o->runs, 1);
		return;
	}
	if (n > 0)
		CHECK_EQ(filch_write(o->pair[0], c, (size_t)n, FILCH_NEVER), n);
	CHECK_EQ(filch_submit_when(filch_here(), o->pair[0], POLLIN, FILCH_NEVER, serve, o), 0);
}

/* Messages of several lengths, so that some are read in parts, with nothing more to come. */
static void ask(void *once)
{
	static const char message[9] = "question";
	struct once *o = once;
	char answer[9];

	for (int i = 0; i < 200; i++) {
		size_t n = 1 + (size_t)i % sizeof(message), done = 0;

		CHECK_EQ(filch_write(o->pair[1], message, n, FILCH_NEVER), n);
		while (done < n) {
			ssize_t got = filch_read(o->pair[1], answer + done, n - done, FILCH_NEVER);

			CHECK(got > 0);
			done += (size_t)got;
		}
		CHECK_EQ(memcmp(message, answer, n), 0);
	}
	CHECK_EQ(shutdown(o->pair[1], SHUT_WR), 0);
	until(&o->runs, 1);
	close_both(o);
}

#define CONNECTIONS 16

Test(when, a_server_loses_no_message_between_two_waits)
{
	filch *rt = start(), *other = start(); /* the clients' */
	struct once o[CONNECTIONS];
	filch_group g;

	filch_group_init(&g, other);
	for (int i = 0; i < CONNECTIONS; i++) {
		sockets(&o[i]);
		CHECK_EQ(filch_submit_when(rt, o[i].pair[0], POLLIN, FILCH_NEVER, serve, &o[i]), 0);
		CHECK_EQ(filch_group_submit(&g, ask, &o[i]), 0);
	}
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(other);
	stop(rt);
}

static void count_result(int result, void *once)
{
	struct once *o = once;

	CHECK(result == -ETIMEDOUT || result == -ECANCELED || result > 0); /* POLLHUP too */
	add(&o->runs, 1);
}

/* An event, a deadline and a close for the same ones: each runs once all the same. */
Test(when, an_event_a_deadline_and_a_close_may_race)
{
	filch *rt = start();

	for (long i = 0; i < rounds(20000); i++) {
		struct once o;

		sockets(&o);
		for (int j = 0; j < 4; j++)
			CHECK_EQ(filch_submit_when(rt, o.pair[0], POLLIN, filch_after(j * 40000), count_result, &o), 0);
		if (i % 3)
			write_one(&o);
		close_both(&o);
		until(&o.runs, 4);
		CHECK_EQ(get(&o.runs), 4);
	}
	stop(rt);
}

static long ended;

static void end_one(int result, void *unused)
{
	(void)unused;
	CHECK(result == -ECANCELED || result == POLLIN);
	add(&ended, 1);
}

static void submit_some(void *once)
{
	struct once *o = once;

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(filch_submit_when(o->rt, o->pair[0], POLLIN, FILCH_NEVER, end_one, NULL), 0);
		add(&o->busy, 1);
		filch_yield();
	}
}

Test(when, all_run_whatever_a_stop_comes_between)
{
	for (long i = 0; i < rounds(5000); i++) {
		struct once o;

		set(&ended, 0);
		sockets(&o);
		o.rt = start();
		CHECK_EQ(filch_submit(o.rt, submit_some, &o), 0);
		until(&o.busy, i % 50);
		if (i % 3 == 0)
			write_one(&o);
		stop(o.rt);
		CHECK_EQ(get(&o.busy), 100);
		CHECK_EQ(get(&ended), 100);
		close_both(&o);
	}
}

/* A file that is always ready for what it has is never ready for the rest. */
Test(when, a_file_has_no_urgent_data)
{
	struct once o = { .rt = start() };
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(filch_submit_when(o.rt, fd, POLLPRI, FILCH_NEVER, note, &o), 0);
	until(&o.runs, 1);
	CHECK_EQ(get(&o.result), -EPERM);
	CHECK_EQ(filch_close(fd), 0);
	stop(o.rt);
}
