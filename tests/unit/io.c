/* SPDX-License-Identifier: MIT */
/* Descriptors of every kind: what a call answers, and when. Who shares a descriptor with whom is in io_shared.c. */
#include "../support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

TestSuite(io, .timeout = WATCHDOG);

enum { PIPE, SOCKETS, TCP, KINDS };

static void tcp_pair(int pair[2])
{
	struct sockaddr_in at = loopback();
	socklen_t length = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(listener >= 0 && !bind(listener, (struct sockaddr *)&at, length) && !listen(listener, 1));
	CHECK(!getsockname(listener, (struct sockaddr *)&at, &length));
	pair[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(connect(pair[1], (struct sockaddr *)&at, length), 0);
	pair[0] = accept(listener, NULL, NULL);
	CHECK(pair[0] >= 0);
	close(listener);
}

/* The first is read, the second written. */
static void make_pair(int kind, int pair[2])
{
	if (kind == PIPE)
		CHECK_EQ(pipe(pair), 0);
	else if (kind == SOCKETS)
		CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	else
		tcp_pair(pair);
}

static void close_pair(int pair[2])
{
	CHECK_EQ(filch_close(pair[0]), 0);
	CHECK_EQ(filch_close(pair[1]), 0);
}

static void for_all_kinds(filch_fn *fn)
{
	for (long kind = 0; kind < KINDS; kind++)
		in_task_and_thread(fn, &kind);
}

/* ---- transfers ---- */

#define TOTAL (1 << 20)

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static void write_all(void *fd)
{
	unsigned char buf[3000];

	for (size_t at = 0; at < TOTAL;) {
		size_t n = TOTAL - at < sizeof(buf) ? TOTAL - at : sizeof(buf);
		ssize_t done;

		for (size_t i = 0; i < n; i++)
			buf[i] = byte_at(at + i);
		done = filch_write(*(int *)fd, buf, n, FILCH_NEVER);
		CHECK(done > 0);
		at += (size_t)done;
	}
}

static void read_all(void *fd)
{
	unsigned char buf[777];

	for (size_t at = 0; at < TOTAL;) {
		ssize_t n = filch_read(*(int *)fd, buf, TOTAL - at < sizeof(buf) ? TOTAL - at : sizeof(buf), FILCH_NEVER);

		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buf[i], byte_at(at + (size_t)i));
		at += (size_t)n;
	}
}

static void transfer(void *kind)
{
	struct beside writer, back[2];
	int pair[2];

	make_pair((int)*(long *)kind, pair);
	beside(&writer, write_all, pair + 1);
	if (*(long *)kind != PIPE) {
		beside(&back[0], write_all, pair);
		beside(&back[1], read_all, pair + 1);
	}
	read_all(pair);
	finish(&writer);
	for (int i = 0; i < 2 && *(long *)kind != PIPE; i++)
		finish(&back[i]);
	close_pair(pair);
}

Test(io, a_large_transfer_passes_small_buffers_both_ways)
{
	for_all_kinds(transfer);
}

static void write_late(void *fd)
{
	sleep_ms(10);
	CHECK_EQ(filch_write(*(int *)fd, "x", 1, FILCH_NEVER), 1);
}

static void keep_flags(void *kind)
{
	for (int nonblocking = 0; nonblocking <= O_NONBLOCK; nonblocking += O_NONBLOCK) {
		struct beside writer;
		int pair[2];
		char c;

		make_pair((int)*(long *)kind, pair);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(fcntl(pair[i], F_SETFL, fcntl(pair[i], F_GETFL) | nonblocking), 0);
		beside(&writer, write_late, pair + 1);
		CHECK_EQ(filch_read(pair[0], &c, 1, FILCH_NEVER), 1);
		finish(&writer);
		for (int i = 0; i < 2; i++)
			CHECK_EQ(fcntl(pair[i], F_GETFL) & O_NONBLOCK, nonblocking);
		close_pair(pair);
	}
}

Test(io, a_descriptor_keeps_its_flags_blocking_or_not)
{
	for_all_kinds(keep_flags);
}

/* ---- deadlines ---- */

static void read_late(void *kind)
{
	int64_t began = filch_now();
	int pair[2];
	char c;

	make_pair((int)*(long *)kind, pair);
	CHECK_EQ(filch_read(pair[0], &c, 1, 0), -ETIMEDOUT);
	CHECK_EQ(filch_read(pair[0], &c, 1, began + 20 * MS), -ETIMEDOUT);
	CHECK(filch_now() >= began + 20 * MS);
	CHECK_EQ(write(pair[1], "xy", 2), 2);
	CHECK_EQ(filch_read(pair[0], &c, 1, 0), 1);
	CHECK_EQ(filch_read(pair[0], &c, 1, INT64_MIN), 1);
	CHECK_EQ(filch_read(pair[0], &c, 1, 0), -ETIMEDOUT);
	close_pair(pair);
}

Test(io, what_is_ready_is_read_even_after_the_deadline)
{
	for_all_kinds(read_late);
}

static void write_full(void *kind)
{
	static char much[65536];
	int pair[2];
	ssize_t n;

	make_pair((int)*(long *)kind, pair);
	while ((n = filch_write(pair[1], much, sizeof(much), filch_after(20 * MS))) > 0)
		;
	CHECK_EQ(n, -ETIMEDOUT);
	CHECK_EQ(filch_write(pair[1], much, sizeof(much), 0), -ETIMEDOUT);
	for (int i = 0; i < 40; i++)
		CHECK(filch_read(pair[0], much, sizeof(much), 0) > 0 || i > 0);
	CHECK(filch_write(pair[1], much, 1, FILCH_NEVER) == 1);
	close_pair(pair);
}

Test(io, a_write_to_what_is_full_ends_at_its_deadline)
{
	for_all_kinds(write_full);
}

/* ---- ends ---- */

static void end_of_file(void *kind)
{
	int pair[2];
	char buf[4];

	make_pair((int)*(long *)kind, pair);
	/* so that it is watched when the end comes */
	CHECK_EQ(filch_read(pair[0], buf, 4, filch_after(1000000)), -ETIMEDOUT);
	CHECK_EQ(filch_write(pair[1], "ab", 2, FILCH_NEVER), 2);
	CHECK_EQ(filch_close(pair[1]), 0);
	CHECK_EQ(filch_read(pair[0], buf, 4, FILCH_NEVER), 2);
	CHECK_EQ(filch_read(pair[0], buf, 4, FILCH_NEVER), 0);
	CHECK_EQ(filch_read(pair[0], buf, 4, FILCH_NEVER), 0);
	CHECK_EQ(filch_close(pair[0]), 0);
}

Test(io, the_end_comes_after_what_was_written)
{
	for_all_kinds(end_of_file);
}

static void broken(void *unused)
{
	int pair[2];

	(void)unused;
	make_pair(SOCKETS, pair);
	CHECK_EQ(filch_close(pair[0]), 0);
	CHECK_EQ(filch_write(pair[1], "x", 1, FILCH_NEVER), -EPIPE);
	CHECK_EQ(filch_send(pair[1], "x", 1, 0, FILCH_NEVER), -EPIPE);
	CHECK_EQ(filch_close(pair[1]), 0);
}

Test(io, a_socket_without_a_reader_is_an_error_and_no_signal)
{
	CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	in_task_and_thread(broken, NULL);
}

/* ---- bad arguments, and errno ---- */

static void bad(void *unused)
{
	int gone = dup(0), fds[] = { -1, -1000, gone, 100000, INT32_MAX };
	char c;

	(void)unused;
	CHECK_EQ(filch_close(gone), 0);
	for (size_t i = 0; i < LENGTH(fds); i++) {
		CHECK_EQ(filch_read(fds[i], &c, 1, 0), -EBADF);
		CHECK_EQ(filch_write(fds[i], &c, 1, 0), -EBADF);
		CHECK_EQ(filch_recv(fds[i], &c, 1, 0, 0), -EBADF);
		CHECK_EQ(filch_send(fds[i], &c, 1, 0, 0), -EBADF);
		CHECK_EQ(filch_accept(fds[i], NULL, NULL, 0), -EBADF);
		CHECK_EQ(filch_connect(fds[i], NULL, 0, 0), -EBADF);
		CHECK_EQ(filch_close(fds[i]), -EBADF);
	}
}

Test(io, a_bad_descriptor_is_ebadf_for_every_call)
{
	in_task_and_thread(bad, NULL);
}

static void keep_errno(void *kind)
{
	int pair[2], watched[2];
	char c;

	make_pair((int)*(long *)kind, pair);
	make_pair(SOCKETS, watched);
	errno = 4321;
	CHECK_EQ(filch_read(pair[0], &c, 1, 0), -ETIMEDOUT);
	CHECK_EQ(filch_write(pair[1], "x", 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(pair[0], &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(-1, &c, 1, 0), -EBADF);
	CHECK(filch_recv(pair[0], &c, 1, 0, 0) < 0);
	CHECK(filch_send(0, &c, 1, 0, 0) < 0);
	CHECK(filch_accept(pair[0], NULL, NULL, 0) < 0);
	CHECK(filch_connect(pair[0], NULL, 0, 0) < 0);
	CHECK_EQ(filch_close(watched[0]), 0);
	CHECK_EQ(filch_close(watched[0]), -EBADF);
	CHECK_EQ(filch_close(watched[1]), 0);
	CHECK_EQ(errno, 4321);
	close_pair(pair);
}

Test(io, errno_stays_as_it_was)
{
	for (long kind = 0; kind < KINDS; kind++) {
		filch *rt = start_workers(1); /* on one worker the task stays in one thread, and errno is one */

		CHECK_EQ(filch_run(rt, keep_errno, &kind), 0);
		stop(rt);
		keep_errno(&kind);
	}
}

/* ---- files ---- */

static void file(void *unused)
{
	char path[] = "/tmp/filch-test-XXXXXX", buf[8];
	int fd = mkstemp(path), null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY), dir = open("/", O_RDONLY);

	(void)unused;
	CHECK(fd >= 0 && null >= 0 && zero >= 0 && dir >= 0 && !unlink(path));
	CHECK_EQ(filch_write(fd, "abcdef", 6, 0), 6);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(filch_read(fd, buf, 3, 0), 3);
	CHECK(!memcmp(buf, "bcd", 3));
	CHECK_EQ(filch_read(fd, buf, 8, FILCH_NEVER), 2);
	CHECK_EQ(filch_read(fd, buf, 8, FILCH_NEVER), 0);
	CHECK_EQ(filch_read(null, buf, 8, FILCH_NEVER), 0);
	CHECK_EQ(filch_write(null, buf, 8, FILCH_NEVER), 8);
	CHECK_EQ(filch_read(zero, buf, 8, FILCH_NEVER), 8);
	CHECK_EQ(filch_read(dir, buf, 8, FILCH_NEVER), -EISDIR);
	CHECK_EQ(filch_recv(fd, buf, 8, 0, FILCH_NEVER), -ENOTSOCK);
	CHECK_EQ(filch_close(fd) | filch_close(null) | filch_close(zero) | filch_close(dir), 0);
}

Test(io, files_and_devices_are_read_and_written_at_once)
{
	in_task_and_thread(file, NULL);
}

/* ---- messages ---- */

static void datagrams(void *unused)
{
	char buf[8];
	int pair[2];

	(void)unused;
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, 0), -ETIMEDOUT);
	for (int round = 0; round < 3; round++) {
		for (int n = 1; n <= 5; n++)
			CHECK_EQ(filch_send(pair[1], "abcdefgh", (size_t)n, 0, FILCH_NEVER), n);
		for (int n = 1; n <= 5; n++)
			CHECK_EQ(filch_recv(pair[0], buf, 8, 0, FILCH_NEVER), n);
		CHECK_EQ(filch_recv(pair[0], buf, 8, 0, 0), -ETIMEDOUT);
	}
	CHECK_EQ(filch_send(pair[1], "", 0, 0, FILCH_NEVER), 0);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, FILCH_NEVER), 0);
	close_pair(pair);
}

Test(io, queued_datagrams_come_one_by_one)
{
	in_task_and_thread(datagrams, NULL);
}

static void peek(void *unused)
{
	char buf[8];
	int pair[2];

	(void)unused;
	make_pair(SOCKETS, pair);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, 0), -ETIMEDOUT);
	CHECK_EQ(write(pair[1], "abc", 3), 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_recv(pair[0], buf, 8, MSG_PEEK, FILCH_NEVER), 3);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, FILCH_NEVER), 3);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, 0), -ETIMEDOUT);
	close_pair(pair);
}

Test(io, what_was_peeked_at_is_still_there)
{
	in_task_and_thread(peek, NULL);
}

/* A stream's read stops short between bytes that came with a descriptor and those that did not. */
static void short_read(void *unused)
{
	size_t control[CMSG_SPACE(sizeof(int)) / sizeof(size_t)] = { 0 };
	struct iovec iov = { (char[]){ 'a', 'b', 'c' }, 3 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
	char buf[8];
	int64_t began;
	int pair[2], n = 0;

	(void)unused;
	*rights = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS }; /* of descriptor 0 */
	make_pair(SOCKETS, pair);
	CHECK_EQ(filch_recv(pair[0], buf, 8, 0, 0), -ETIMEDOUT);
	CHECK_EQ(sendmsg(pair[1], &message, 0), 3);
	CHECK_EQ(write(pair[1], "def", 3), 3);
	began = filch_now();
	while (n < 6) {
		ssize_t some = filch_recv(pair[0], buf, 8, 0, began + slack(1000 * MS));

		CHECK(some > 0);
		n += (int)some;
	}
	CHECK(filch_now() - began < slack(500 * MS));
	close_pair(pair);
}

Test(io, a_read_that_stops_short_loses_nothing)
{
	in_task_and_thread(short_read, NULL);
}

/* ---- what poll(2) calls ready though there is nothing to be had ---- */

static void urgent(void *unused)
{
	int64_t began;
	int pair[2];
	char c;

	(void)unused;
	tcp_pair(pair);
	CHECK_EQ(filch_recv(pair[0], &c, 1, 0, 0), -ETIMEDOUT);
	CHECK_EQ(send(pair[1], "!", 1, MSG_OOB), 1);
	sleep_ms(10);
	began = filch_now();
	CHECK_EQ(filch_recv(pair[0], &c, 1, 0, began + 30 * MS), -ETIMEDOUT);
	CHECK(filch_now() - began < slack(1000 * MS));
	CHECK_EQ(write(pair[1], "x", 1), 1);
	CHECK_EQ(filch_recv(pair[0], &c, 1, 0, FILCH_NEVER), 1);
	CHECK_EQ(c, 'x');
	close_pair(pair);
}

Test(io, an_urgent_byte_does_not_end_the_deadline_of_a_read)
{
	in_task_and_thread(urgent, NULL);
}

static void fifo(void *unused)
{
	char path[] = "/tmp/filch-test-XXXXXX", c;
	int reader, writer;

	(void)unused;
	CHECK(mkdtemp(path) && !rmdir(path) && !mkfifo(path, 0600));
	reader = open(path, O_RDONLY | O_NONBLOCK);
	writer = open(path, O_WRONLY);
	CHECK_EQ(filch_read(reader, &c, 1, 0), -ETIMEDOUT);
	CHECK_EQ(filch_close(writer), 0);
	CHECK_EQ(filch_read(reader, &c, 1, FILCH_NEVER), 0);
	writer = open(path, O_WRONLY);
	CHECK_EQ(filch_read(reader, &c, 1, filch_after(30 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_write(writer, "x", 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(reader, &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_close(reader) | filch_close(writer) | unlink(path), 0);
}

Test(io, a_fifo_that_was_left_and_entered_again_is_waited_for)
{
	in_task_and_thread(fifo, NULL);
}

static void refused_datagram(void *unused)
{
	struct sockaddr_in at = loopback();
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	char c;

	(void)unused;
	CHECK(!bind(other, (struct sockaddr *)&at, length) && !getsockname(other, (struct sockaddr *)&at, &length));
	CHECK(!connect(fd, (struct sockaddr *)&at, length) && !close(other));
	CHECK_EQ(filch_recv(fd, &c, 1, 0, 0), -ETIMEDOUT);
	CHECK_EQ(filch_send(fd, "x", 1, 0, FILCH_NEVER), 1);
	CHECK_EQ(filch_recv(fd, &c, 1, 0, FILCH_NEVER), -ECONNREFUSED);
	CHECK_EQ(filch_recv(fd, &c, 1, 0, filch_after(30 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_close(fd), 0);
}

Test(io, an_error_that_was_reported_is_over)
{
	in_task_and_thread(refused_datagram, NULL);
}
