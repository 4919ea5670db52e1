/* SPDX-License-Identifier: MIT */
/*
 * Streams whose bytes the runtime may receive ahead of the reads (io_uring): every way to read sees them once, in order,
 * and closing, stopping and flooding harm nobody. The same must hold where it receives nothing ahead.
 */
#include "../support.h"

#include <poll.h>
#include <sys/resource.h>

TestSuite(io_ahead, .timeout = WATCHDOG);

static int listen_here(struct sockaddr_in *at)
{
	socklen_t length = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = loopback();
	CHECK(fd >= 0 && !bind(fd, (struct sockaddr *)at, length) && !listen(fd, 100));
	CHECK(!getsockname(fd, (struct sockaddr *)at, &length));
	return fd;
}

static void connected(int pair[2])
{
	struct sockaddr_in at;
	int listener = listen_here(&at);

	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(pair[1], (struct sockaddr *)&at, sizeof(at)), 0);
	pair[0] = accept(listener, NULL, NULL);
	CHECK(pair[0] >= 0);
	close(listener);
}

/* From now on what comes in may be received ahead. */
static void begin(int fd)
{
	char c;

	CHECK_EQ(filch_read(fd, &c, 1, filch_after(MS)), -ETIMEDOUT);
}

static void send_all(int fd, const char *data, size_t n)
{
	while (n) {
		ssize_t done = send(fd, data, n, 0);

		CHECK(done > 0);
		data += done;
		n -= (size_t)done;
	}
}

static void close_both(int pair[2])
{
	CHECK_EQ(filch_close(pair[0]) | filch_close(pair[1]), 0);
}

/* ---- every way to read ---- */

static void mixed(void *unused)
{
	char a[4] = "", b[8] = "", control[64];
	struct iovec in[] = { { a, 3 }, { b, 7 } };
	struct msghdr m = { .msg_iov = in, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof(control) };
	int pair[2];

	(void)unused;
	connected(pair);
	begin(pair[0]);
	send_all(pair[1], "abcdefghijklmnopqrstuvwxyz", 26);
	CHECK_EQ(filch_poll(pair[0], POLLIN, FILCH_NEVER), POLLIN);
	CHECK_EQ(filch_recv(pair[0], b, 5, MSG_PEEK, FILCH_NEVER), 5);
	CHECK_EQ(filch_recv(pair[0], a, 1, 0, FILCH_NEVER), 1);
	CHECK(a[0] == 'a' && !memcmp(b, "abcde", 5));
	CHECK_EQ(filch_readv(pair[0], in, 2, 0), 10);
	CHECK(!memcmp(a, "bcd", 3) && !memcmp(b, "efghijk", 7));
	CHECK_EQ(filch_recvmsg(pair[0], &m, 0, 0), 10);
	CHECK(!memcmp(a, "lmn", 3) && !memcmp(b, "opqrstu", 7));
	CHECK(m.msg_controllen == 0 && m.msg_flags == 0);
	CHECK_EQ(filch_read(pair[0], b, 0, 0), 0);
	CHECK_EQ(filch_recv(pair[0], NULL, 2, MSG_TRUNC, 0), 2);
	CHECK_EQ(filch_poll(pair[0], POLLIN, 0), POLLIN);
	CHECK_EQ(filch_read(pair[0], b, 8, 0), 3);
	CHECK(!memcmp(b, "xyz", 3));
	CHECK_EQ(filch_read(pair[0], b, 8, 0), -ETIMEDOUT);
	CHECK_EQ(filch_poll(pair[0], POLLIN, 0), -ETIMEDOUT);
	close_both(pair);
}

Test(io_ahead, every_way_to_read_takes_up_where_the_last_one_ended)
{
	in_task_and_thread(mixed, NULL);
}

static void at_once(void *unused)
{
	char c;
	int pair[2];

	(void)unused;
	connected(pair);
	begin(pair[0]);
	for (long i = 0; i < rounds(50000); i++) {
		send_all(pair[1], "x", 1);
		CHECK_EQ(filch_read(pair[0], &c, 1, 0), 1);
		CHECK_EQ(filch_read(pair[0], &c, 1, 0), -ETIMEDOUT);
	}
	close_both(pair);
}

Test(io_ahead, what_has_arrived_is_read_even_by_who_does_not_wait)
{
	in_task_and_thread(at_once, NULL);
}

static void note(int revents, void *arg)
{
	set(arg, revents);
}

static void ready_at_once(void *unused)
{
	char buf[4];
	int pair[2];

	(void)unused;
	connected(pair);
	begin(pair[0]);
	for (long i = 0; i < rounds(50000); i++) {
		long revents = 0;

		CHECK_EQ(filch_submit_when(filch_here(), pair[0], POLLIN, i % 2 ? FILCH_NEVER : filch_after(1000000 * MS), note,
					   &revents),
			 0);
		send_all(pair[1], "abc", 3);
		until(&revents, 1);
		CHECK_EQ(revents, POLLIN);
		CHECK_EQ(filch_read(pair[0], buf, 2, 0), 2);
		revents = 0; /* something is left */
		CHECK_EQ(filch_submit_when(filch_here(), pair[0], POLLIN, FILCH_NEVER, note, &revents), 0);
		until(&revents, 1);
		CHECK_EQ(filch_read(pair[0], buf, 4, 0), 1);
		send_all(pair[1], "d", 1);
		CHECK_EQ(filch_poll(pair[0], POLLIN, 0), POLLIN);
		CHECK_EQ(filch_read(pair[0], buf, 4, 0), 1);
		CHECK_EQ(buf[0], 'd');
	}
	close_both(pair);
}

Test(io_ahead, what_has_arrived_is_ready_for_who_waits_without_a_stack)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, ready_at_once, NULL), 0);
	stop(rt);
}

/* The end is told to who waits for it, before the bytes and the end itself have been read and after. */
static void hang_up(void *unused)
{
	for (int round = 0; round < 100; round++) {
		long first = 0, second = 0;
		int pair[2];
		char c;

		(void)unused;
		connected(pair);
		begin(pair[0]);
		CHECK_EQ(filch_submit_when(filch_here(), pair[0], POLLRDHUP, FILCH_NEVER, note, &first), 0);
		if (round % 2)
			send_all(pair[1], "a", 1);
		CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
		until(&first, POLLRDHUP);
		CHECK_EQ(filch_read(pair[0], &c, 1, FILCH_NEVER), round % 2);
		CHECK_EQ(filch_read(pair[0], &c, 1, FILCH_NEVER), 0);
		CHECK_EQ(filch_submit_when(filch_here(), pair[0], POLLIN | POLLRDHUP, FILCH_NEVER, note, &second), 0);
		until(&second, POLLIN | POLLRDHUP);
		close_both(pair);
	}
}

Test(io_ahead, who_waits_for_the_end_is_told_after_it_was_read_too)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, hang_up, NULL), 0);
	stop(rt);
}

/* ---- a thread outside beside tasks ---- */

struct stream {
	int pair[2];
	long sum, bytes, end;
};

static void read_bytes(void *stream)
{
	struct stream *s = stream;
	unsigned char c;

	while (add(&s->bytes, 1) <= s->end) {
		CHECK_EQ(filch_read(s->pair[0], &c, 1, FILCH_NEVER), 1);
		add(&s->sum, c);
	}
}

static void *read_as_thread(void *stream)
{
	read_bytes(stream);
	return NULL;
}

Test(io_ahead, a_thread_outside_and_tasks_share_a_stream)
{
	struct stream s = { .end = 2000 };
	filch *rt = start();
	pthread_t id;
	long sum = 0;

	connected(s.pair);
	CHECK_EQ(filch_submit(rt, read_bytes, &s), 0);
	CHECK_EQ(filch_submit(rt, read_bytes, &s), 0);
	id = thread(read_as_thread, &s);
	for (long i = 0; i < s.end; i++) {
		unsigned char c = (unsigned char)(i * 7);

		sum += c;
		send_all(s.pair[1], (char *)&c, 1);
		if (i % 100 == 0)
			sleep_ms(1);
	}
	join_thread(id);
	stop(rt);
	CHECK_EQ(s.sum, sum);
	close_both(s.pair);
}

/* ---- more than there is room for ---- */

#define FLOOD (1l << 20)

static void flood(void *fd)
{
	char some[4096];

	for (long at = 0; at < FLOOD; at += (long)sizeof(some)) {
		for (size_t i = 0; i < sizeof(some); i++)
			some[i] = (char)((at + (long)i) % 251);
		send_all(*(int *)fd, some, sizeof(some));
	}
	CHECK_EQ(shutdown(*(int *)fd, SHUT_WR), 0);
}

static void *flood_as_thread(void *fd)
{
	flood(fd);
	return NULL;
}

static void read_flood(void *pairs)
{
	int *pair = pairs;
	char some[3000];
	long at = 0;
	pthread_t id;
	ssize_t n;

	begin(pair[0]);
	id = thread(flood_as_thread, &pair[1]);
	sleep_ms(5); /* it goes on without a reader */
	for (size_t size = 1; (n = filch_read(pair[0], some, size, FILCH_NEVER)) > 0; size = size * 2 % sizeof(some) + 1) {
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(some[i], (char)((at + i) % 251));
		at += n;
	}
	CHECK_EQ(n, 0);
	CHECK_EQ(at, FLOOD);
	CHECK_EQ(filch_read(pair[0], some, 1, FILCH_NEVER), 0);
	join_thread(id);
}

static void flooded(void *unused)
{
	int pair[2];

	(void)unused;
	connected(pair);
	read_flood(pair);
	close_both(pair);
}

Test(io_ahead, a_flood_comes_in_order_and_then_its_end)
{
	in_task_and_thread(flooded, NULL);
}

#define MANY 700 /* more than a poller has buffers */

static void many(void *unused)
{
	static int pair[MANY][2];
	char in[2000], out[2000];

	(void)unused;
	memset(out, 'x', sizeof(out));
	for (int i = 0; i < MANY; i++) {
		connected(pair[i]);
		CHECK_EQ(filch_read(pair[i][0], in, 1, filch_after(MS / 20)), -ETIMEDOUT);
	}
	for (int i = 0; i < MANY; i++)
		send_all(pair[i][1], out, sizeof(out));
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < MANY; i++) {
			size_t got = 0;

			while (got < sizeof(in)) {
				ssize_t n = filch_read(pair[i][0], in + got, sizeof(in) - got, FILCH_NEVER);

				CHECK(n > 0);
				got += (size_t)n;
			}
			send_all(pair[i][1], out, sizeof(out));
		}
	}
	for (int i = 0; i < MANY; i++)
		close_both(pair[i]); /* some with bytes that nobody reads */
}

Test(io_ahead, more_streams_are_full_than_there_are_buffers)
{
	struct rlimit limit;
	filch *rt = start();

	CHECK(!getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = limit.rlim_max;
	CHECK(!setrlimit(RLIMIT_NOFILE, &limit));
	CHECK_EQ(filch_run(rt, many, NULL), 0);
	stop(rt);
}

/* ---- ends ---- */

static void reset(void *unused)
{
	struct linger hard = { 1, 0 };
	char buf[8];
	int pair[2];

	(void)unused;
	for (int waits = 0; waits < 2; waits++) {
		connected(pair);
		begin(pair[0]);
		CHECK_EQ(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
		CHECK_EQ(filch_close(pair[1]), 0);
		if (waits)
			sleep_ms(2);
		CHECK_EQ(filch_read(pair[0], buf, 8, FILCH_NEVER), -ECONNRESET);
		CHECK_EQ(filch_read(pair[0], buf, 8, FILCH_NEVER), 0);
		CHECK_EQ(filch_close(pair[0]), 0);
	}
}

Test(io_ahead, a_reset_is_reported_once)
{
	in_task_and_thread(reset, NULL);
}

static void close_at_once(void *unused)
{
	char buf[4];
	int pair[2];

	(void)unused;
	for (long i = 0; i < rounds(20000); i++) {
		connected(pair);
		begin(pair[0]);
		send_all(pair[1], "old", 3);
		if (i % 2)
			sleep_ms(0);
		CHECK_EQ(filch_close(pair[0]), 0);
		/* With unread bytes a reset, without an end; in any case soon. */
		CHECK(recv(pair[1], buf, 4, 0) <= 0);
		CHECK_EQ(filch_close(pair[1]), 0);
	}
}

Test(io_ahead, a_close_is_seen_at_the_other_end_and_takes_nothing_into_the_next_stream)
{
	filch *rt = start();
	filch_group g;

	filch_group_init(&g, rt);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(filch_group_submit(&g, close_at_once, NULL), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

static void begin_task(void *fd)
{
	begin(*(int *)fd);
}

static void read_five(void *fd)
{
	char buf[8];

	CHECK_EQ(filch_read(*(int *)fd, buf, 8, FILCH_NEVER), 5);
	CHECK(!memcmp(buf, "hello", 5));
}

Test(io_ahead, what_was_received_outlives_the_runtime_that_did)
{
	int pair[2];

	connected(pair);
	for (int round = 0; round < 5; round++) {
		filch *first = start(), *second = start();

		CHECK_EQ(filch_run(first, begin_task, pair), 0);
		send_all(pair[1], "hello", 5);
		if (round % 2)
			sleep_ms(3);
		stop(first);
		if (round == 4)
			read_five(pair);
		else
			CHECK_EQ(filch_run(second, read_five, pair), 0);
		stop(second);
	}
	close_both(pair);
}

/* ---- a worker that computes ---- */

struct other {
	int fd;
	long done, computed;
};

static void compute(void *other)
{
	struct other *o = other;

	while (!get(&o->done))
		;
	set(&o->computed, 1);
}

static void read_other(void *other)
{
	struct other *o = other;

	read_five(&o->fd);
	set(&o->done, 1);
}

Test(io_ahead, what_a_computing_worker_receives_others_read)
{
	struct other o = { .done = 0 };
	filch *rt = start_workers(2);
	int pair[2];

	connected(pair);
	o.fd = pair[0];
	for (int round = 0; round < 10; round++) {
		o.done = o.computed = 0;
		CHECK_EQ(filch_submit(rt, read_other, &o), 0);
		sleep_ms(3);
		CHECK_EQ(filch_submit(rt, compute, &o), 0);
		sleep_ms(1);
		send_all(pair[1], "hello", 5);
		until(&o.computed, 1);
	}
	stop(rt);
	close_both(pair);
}
