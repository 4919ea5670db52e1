/* SPDX-License-Identifier: MIT */
/* Descriptors that several tasks, threads and runtimes use at once; connections; closing under whoever waits. */
#include "../support.h"

#include <fcntl.h>
#include <sys/un.h>

TestSuite(io_shared, .timeout = WATCHDOG);

static void sockets(int type, int pair[2])
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, pair), 0);
}

/* ---- several readers ---- */

#define READERS 4
#define ROUNDS  100

struct shared {
	int pair[2];
	long per_reader, sum;
};

static void read_some(void *shared)
{
	struct shared *s = shared;

	for (long i = 0; i < s->per_reader; i++) {
		unsigned char c;

		CHECK_EQ(filch_read(s->pair[0], &c, 1, FILCH_NEVER), 1);
		add(&s->sum, c);
	}
}

static void write_bursts(struct shared *s, long total)
{
	unsigned char burst[16];

	for (long n, at = 0; at < total; at += n) {
		n = total - at < 16 ? total - at : 1 + at % 16;
		for (long i = 0; i < n; i++)
			burst[i] = (unsigned char)(at + i);
		for (long done = 0; done < n;)
			done += filch_write(s->pair[1], burst + done, (size_t)(n - done), FILCH_NEVER);
		if (at % 3)
			filch_yield();
	}
}

static void share(void *per_reader)
{
	struct shared s = { .per_reader = *(long *)per_reader };
	struct beside reader[READERS];
	long sum = 0;

	sockets(SOCK_STREAM, s.pair);
	for (int i = 0; i < READERS; i++)
		beside(&reader[i], read_some, &s);
	write_bursts(&s, READERS * s.per_reader);
	for (int i = 0; i < READERS; i++)
		finish(&reader[i]);
	for (long i = 0; i < READERS * s.per_reader; i++)
		sum += (unsigned char)i;
	CHECK_EQ(s.sum, sum);
	CHECK_EQ(filch_close(s.pair[0]) | filch_close(s.pair[1]), 0);
}

Test(io_shared, every_byte_goes_to_one_of_the_readers_and_none_is_left_waiting)
{
	long lengths[] = { 1, 2, 5, 1000 };

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < LENGTH(lengths); i++)
			in_task_and_thread(share, &lengths[i]);
	}
}

/* ---- several writers ---- */

/* More than fit, which both wait for; then one ends, and nothing becomes full again for the other. */
static void write_some(void *shared)
{
	struct shared *s = shared;

	for (long i = 0; i < s->per_reader; i++)
		CHECK_EQ(filch_send(s->pair[1], "x", 1, 0, FILCH_NEVER), 1);
}

static void two_write(void *per_writer)
{
	struct shared s = { .per_reader = *(long *)per_writer };
	struct beside writer[2];
	char c;

	sockets(SOCK_DGRAM, s.pair);
	for (int i = 0; i < 2; i++)
		beside(&writer[i], write_some, &s);
	for (long i = 0; i < 2 * s.per_reader; i++)
		CHECK_EQ(filch_recv(s.pair[0], &c, 1, 0, FILCH_NEVER), 1);
	for (int i = 0; i < 2; i++)
		finish(&writer[i]);
	CHECK_EQ(filch_close(s.pair[0]) | filch_close(s.pair[1]), 0);
}

Test(io_shared, two_writers_leave_each_other_what_room_there_is)
{
	long lengths[] = { 9, 17, 40 };

	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < LENGTH(lengths); i++)
			in_task_and_thread(two_write, &lengths[i]);
	}
}

/* ---- closing ---- */

struct waiting {
	int pair[2];
	long ready, ended;
};

static void read_until_closed(void *waiting)
{
	struct waiting *w = waiting;
	char c;

	add(&w->ready, 1);
	CHECK_EQ(filch_read(w->pair[0], &c, 1, FILCH_NEVER), -ECANCELED);
	add(&w->ended, 1);
}

static void write_until_closed(void *waiting)
{
	static const char much[1 << 16];
	struct waiting *w = waiting;
	ssize_t n;

	add(&w->ready, 1);
	while ((n = filch_write(w->pair[0], much, sizeof(much), FILCH_NEVER)) > 0)
		;
	CHECK_EQ(n, -ECANCELED);
	add(&w->ended, 1);
}

static void close_under(void *unused)
{
	struct beside reader[3], writer;
	struct waiting w = { .ready = 0 };

	(void)unused;
	sockets(SOCK_STREAM, w.pair);
	for (int i = 0; i < 3; i++)
		beside(&reader[i], read_until_closed, &w);
	beside(&writer, write_until_closed, &w);
	until(&w.ready, 4);
	sleep_ms(10);
	CHECK_EQ(get(&w.ended), 0);
	CHECK_EQ(filch_close(w.pair[0]), 0);
	for (int i = 0; i < 3; i++)
		finish(&reader[i]);
	finish(&writer);
	CHECK(fcntl(w.pair[0], F_GETFD) < 0);
	CHECK_EQ(filch_close(w.pair[0]), -EBADF);
	CHECK_EQ(filch_close(w.pair[1]), 0);
}

Test(io_shared, a_close_ends_every_wait_and_then_the_descriptor)
{
	for (int i = 0; i < 5; i++)
		in_task_and_thread(close_under, NULL);
}

static void echo_and_close(void *unused)
{
	char c = 'x';
	int pair[2];

	(void)unused;
	for (long i = 0; i < rounds(100000); i++) {
		sockets(SOCK_STREAM, pair);
		CHECK_EQ(filch_recv(pair[0], &c, 1, 0, 0), -ETIMEDOUT);
		CHECK_EQ(filch_send(pair[1], &c, 1, 0, FILCH_NEVER), 1);
		CHECK_EQ(filch_recv(pair[0], &c, 1, 0, FILCH_NEVER), 1);
		CHECK_EQ(filch_close(pair[0]) | filch_close(pair[1]), 0);
	}
}

Test(io_shared, numbers_that_are_given_out_again_start_afresh)
{
	filch *rt = start();
	filch_group g;

	filch_group_init(&g, rt);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(filch_group_submit(&g, echo_and_close, NULL), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	stop(rt);
}

/* ---- connections ---- */

struct server {
	int fd;
	long accepted, late;
	struct sockaddr_in at;
};

static void listen_on(struct server *s, int flags)
{
	socklen_t length = sizeof(s->at);

	*s = (struct server){ .at = loopback() };
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
	CHECK(s->fd >= 0 && !bind(s->fd, (struct sockaddr *)&s->at, length) && !listen(s->fd, 1000));
	CHECK(!getsockname(s->fd, (struct sockaddr *)&s->at, &length));
}

static int connect_to(struct server *s)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(filch_connect(fd, (struct sockaddr *)&s->at, sizeof(s->at), FILCH_NEVER), 0);
	return fd;
}

static void accept_one(void *server)
{
	struct server *s = server;
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int fd = filch_accept(s->fd, (struct sockaddr *)&from, &length, FILCH_NEVER);

	CHECK(fd >= 0);
	CHECK_EQ(length, sizeof(from));
	CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(filch_close(fd), 0);
}

static void connect_and_accept(void *unused)
{
	struct beside acceptor;
	struct server s;
	char c;

	(void)unused;
	for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
		int fd;

		listen_on(&s, flags);
		CHECK_EQ(filch_accept(s.fd, NULL, NULL, filch_after(5 * MS)), -ETIMEDOUT);
		beside(&acceptor, accept_one, &s);
		fd = connect_to(&s);
		finish(&acceptor);
		CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
		CHECK_EQ(filch_connect(fd, (struct sockaddr *)&s.at, sizeof(s.at), FILCH_NEVER), -EISCONN);
		CHECK_EQ(filch_read(fd, &c, 1, FILCH_NEVER), 0);
		CHECK_EQ(filch_close(fd) | filch_close(s.fd), 0);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		CHECK_EQ(filch_connect(fd, (struct sockaddr *)&s.at, sizeof(s.at), FILCH_NEVER), -ECONNREFUSED);
		CHECK_EQ(filch_close(fd), 0);
	}
}

Test(io_shared, a_connection_is_made_or_refused)
{
	in_task_and_thread(connect_and_accept, NULL);
}

static void accept_by_deadline(void *server)
{
	struct server *s = server;
	int fd = filch_accept(s->fd, NULL, NULL, filch_after(slack(30 * MS)));

	CHECK(fd >= 0 || fd == -ETIMEDOUT);
	add(fd >= 0 ? &s->accepted : &s->late, 1);
	if (fd >= 0)
		CHECK_EQ(filch_close(fd), 0);
}

static void many_acceptors(void *flags)
{
	struct beside acceptor[8];
	struct server s;

	for (int round = 0; round < 10; round++) {
		int fd;

		listen_on(&s, *(int *)flags);
		for (int i = 0; i < 8; i++)
			beside(&acceptor[i], accept_by_deadline, &s);
		sleep_ms(5);
		fd = connect_to(&s);
		for (int i = 0; i < 8; i++)
			finish(&acceptor[i]);
		CHECK_EQ(s.accepted, 1);
		CHECK_EQ(s.late, 7);
		CHECK_EQ(filch_close(fd) | filch_close(s.fd), 0);
	}
}

Test(io_shared, one_connection_goes_to_one_of_many_acceptors_and_blocks_none)
{
	int flags[] = { SOCK_NONBLOCK, 0 };

	for (size_t i = 0; i < LENGTH(flags); i++)
		in_task_and_thread(many_acceptors, &flags[i]);
}

static void connect_unix(void *unused)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "\0filch-test-" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd[3], n;
	int64_t began = filch_now();

	(void)unused;
	snprintf(at.sun_path + 12, 32, "%d", (int)getpid());
	CHECK(!bind(listener, (struct sockaddr *)&at, sizeof(at)) && !listen(listener, 0));
	for (n = 0; n < 3; n++) {
		fd[n] = socket(AF_UNIX, SOCK_STREAM, 0);
		if (filch_connect(fd[n], (struct sockaddr *)&at, sizeof(at), began + 30 * MS))
			break;
	}
	CHECK(n > 0 && n < 3); /* the backlog is full at some point */
	CHECK_EQ(filch_connect(fd[n], (struct sockaddr *)&at, sizeof(at), filch_after(5 * MS)), -ETIMEDOUT);
	CHECK(filch_now() >= began + 30 * MS);
	CHECK(filch_accept(listener, NULL, NULL, FILCH_NEVER) >= 0);
	CHECK_EQ(filch_connect(fd[n], (struct sockaddr *)&at, sizeof(at), FILCH_NEVER), 0);
	CHECK_EQ(filch_close(listener), 0);
	for (int i = 0; i <= n; i++)
		CHECK_EQ(filch_close(fd[i]), 0);
}

Test(io_shared, a_local_connection_waits_for_a_place_in_the_backlog)
{
	in_task_and_thread(connect_unix, NULL);
}

/* ---- many at once ---- */

static void serve_one(void *fd)
{
	char buf[64];
	ssize_t n;

	while ((n = filch_read((int)(intptr_t)fd, buf, sizeof(buf), FILCH_NEVER)) > 0)
		CHECK_EQ(filch_write((int)(intptr_t)fd, buf, (size_t)n, FILCH_NEVER), n);
	CHECK_EQ(n, 0);
	CHECK_EQ(filch_close((int)(intptr_t)fd), 0);
}

static void serve(void *server)
{
	struct server *s = server;
	int fd;

	while ((fd = filch_accept(s->fd, NULL, NULL, FILCH_NEVER)) >= 0) {
		s->accepted++;
		CHECK_EQ(filch_submit(filch_here(), serve_one, (void *)(intptr_t)fd), 0);
	}
	CHECK_EQ(fd, -ECANCELED);
}

static void ask(void *server)
{
	int fd = connect_to(server);
	char out[16], in[16];

	for (int i = 0; i < 5; i++) {
		int n = snprintf(out, sizeof(out), "%d", fd * 10 + i);

		CHECK_EQ(filch_send(fd, out, (size_t)n, 0, FILCH_NEVER), n);
		CHECK_EQ(filch_recv(fd, in, sizeof(in), 0, FILCH_NEVER), n);
		CHECK(!memcmp(in, out, (size_t)n));
	}
	CHECK_EQ(filch_close(fd), 0);
}

Test(io_shared, five_hundred_connections_at_once)
{
	filch *rt = start();
	struct server s;
	filch_group g;

	listen_on(&s, 0);
	filch_group_init(&g, rt);
	CHECK_EQ(filch_submit(rt, serve, &s), 0);
	for (int i = 0; i < 500; i++)
		CHECK_EQ(filch_group_submit(&g, ask, &s), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	CHECK_EQ(filch_close(s.fd), 0);
	stop(rt);
	CHECK_EQ(s.accepted, 500);
}

/* ---- several runtimes ---- */

static void read_one(void *fd)
{
	char c;

	CHECK_EQ(filch_read(*(int *)fd, &c, 1, FILCH_NEVER), 1);
}

Test(io_shared, a_descriptor_outlives_the_runtime_that_watched_it)
{
	int pair[2];

	sockets(SOCK_STREAM, pair);
	for (int round = 0; round < 5; round++) {
		filch *first = start(), *second = start();

		CHECK_EQ(filch_submit(first, read_one, pair), 0);
		sleep_ms(3);
		CHECK_EQ(filch_submit(second, read_one, pair), 0);
		sleep_ms(3);
		CHECK_EQ(write(pair[1], "xy", 2), 2);
		stop(first);
		stop(second);
	}
	CHECK_EQ(filch_close(pair[0]) | filch_close(pair[1]), 0);
}

Test(io_shared, who_waits_in_another_runtime_is_woken_after_the_watching_one_has_gone)
{
	int pair[2];

	sockets(SOCK_STREAM, pair);
	for (int round = 0; round < 5; round++) {
		filch *first = start(), *second = start();
		filch_group g;

		filch_group_init(&g, first);
		CHECK_EQ(filch_group_submit(&g, read_one, pair), 0);
		sleep_ms(3);
		CHECK_EQ(write(pair[1], "x", 1), 1);
		CHECK_EQ(filch_group_wait(&g), 0);
		CHECK_EQ(filch_submit(second, read_one, pair), 0);
		sleep_ms(3);
		stop(first);
		CHECK_EQ(write(pair[1], "x", 1), 1);
		stop(second);
	}
	CHECK_EQ(filch_close(pair[0]) | filch_close(pair[1]), 0);
}
