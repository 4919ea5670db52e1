/* SPDX-License-Identifier: MIT */
/* Vectors, messages, files to sockets, and readiness. */
#include "../support.h"

#include <fcntl.h>
#include <poll.h>

TestSuite(io_more, .timeout = WATCHDOG);

/* A UDP socket at some local port, sending to itself, which keeps reports of errors. */
static int udp_socket(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (struct sockaddr *)&at, length), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&at, length), 0);
	CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	return fd;
}

/* Nothing is reported; a datagram has come, and no event will tell of it again. */
static void look_for_reports(void *arg)
{
	int fd = udp_socket();
	char c[2];

	(void)arg;
	CHECK_EQ(filch_recv(fd, c, 2, 0, filch_after(5 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_send(fd, "x", 1, 0, FILCH_NEVER), 1);
	CHECK_EQ(filch_poll(fd, POLLIN, FILCH_NEVER), POLLIN);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(filch_recv(fd, c, 2, MSG_ERRQUEUE, filch_after(5 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_recv(fd, c, 2, 0, FILCH_NEVER), 1);
	CHECK_EQ(filch_close(fd), 0);
}

Test(io_more, who_looks_for_reports_of_errors_takes_no_event_from_who_reads)
{
	in_task_and_thread(look_for_reports, NULL);
}

static void wait_for_a_report(void *fd)
{
	char c[2];

	CHECK_EQ(filch_recv(*(int *)fd, c, 2, MSG_ERRQUEUE, FILCH_NEVER), 1);
	CHECK_EQ(c[0], 'y');
}

static void note(int revents, void *arg)
{
	set(arg, revents);
}

/* Nobody is at that port any more. */
static void wait_for_reports(void *rt)
{
	int other = udp_socket(), fd = udp_socket();
	struct sockaddr_in at;
	socklen_t length = sizeof(at);
	struct beside waiting;
	long ready = 0;
	char c;

	CHECK_EQ(getsockname(other, (struct sockaddr *)&at, &length), 0);
	CHECK_EQ(filch_close(other), 0);
	CHECK_EQ(connect(fd, (struct sockaddr *)&at, length), 0);
	beside(&waiting, wait_for_a_report, &fd);
	CHECK_EQ(filch_recv(fd, &c, 1, 0, filch_after(5 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_send(fd, "y", 1, 0, FILCH_NEVER), 1);
	finish(&waiting);
	/* One that was reported to a read is still to be had, and ready. */
	CHECK_EQ(filch_send(fd, "y", 1, 0, FILCH_NEVER), 1);
	while (filch_recv(fd, &c, 1, 0, filch_after(5 * MS)) != -ETIMEDOUT)
		;
	CHECK_EQ(filch_submit_when(rt, fd, POLLPRI, FILCH_NEVER, note, &ready), 0);
	until(&ready, POLLERR);
	CHECK_EQ(filch_close(fd), 0);
}

Test(io_more, a_report_of_an_error_is_waited_for)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, wait_for_reports, rt), 0);
	wait_for_reports(rt);
	stop(rt);
}

static void make_sockets(int s[2], int flags)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, s), 0);
}

static void close_both(int s[2])
{
	CHECK_EQ(filch_close(s[0]), 0);
	CHECK_EQ(filch_close(s[1]), 0);
}

static void vectors_over(int from, int to)
{
	char a[4] = "", b[8] = "";
	struct iovec out[] = { { (void *)(uintptr_t) "abc", 3 },
		               { (void *)(uintptr_t) "defgh", 5 } };
	struct iovec in[] = { { a, 3 }, { b, 7 } };

	CHECK_EQ(filch_writev(to, out, 2, FILCH_NEVER), 8);
	CHECK_EQ(filch_readv(from, in, 2, FILCH_NEVER), 8);
	CHECK(!strcmp(a, "abc") && !strcmp(b, "defgh"));
	CHECK_EQ(filch_readv(from, in, 2, filch_after(5 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_read(from, a, 0, FILCH_NEVER), 0);
	CHECK_EQ(filch_readv(from, in, 0, FILCH_NEVER), 0);
	CHECK_EQ(filch_readv(from, in, -1, 0), -EINVAL);
	CHECK_EQ(filch_writev(to, out, 100000, 0), -EINVAL);
}

static void vectors(void *arg)
{
	int s[2];

	(void)arg;
	make_sockets(s, 0);
	vectors_over(s[0], s[1]);
	close_both(s);
	CHECK_EQ(pipe(s), 0);
	vectors_over(s[0], s[1]);
	close_both(s);
}

Test(io_more, vectors_pass_sockets_and_pipes)
{
	in_task_and_thread(vectors, NULL);
}

static void messages(void *arg)
{
	int s[2], pipe_ends[2], *passed;
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = { .msg_iov = &iov,
		            .msg_iovlen = 1,
		            .msg_control = control,
		            .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	(void)arg;
	make_sockets(s, 0);
	CHECK_EQ(pipe(pipe_ends), 0);
	*c = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
		               .cmsg_type = SCM_RIGHTS,
		               .cmsg_len = CMSG_LEN(sizeof(int)) };
	memcpy(CMSG_DATA(c), &pipe_ends[1], sizeof(int));
	CHECK_EQ(filch_sendmsg(s[1], &m, 0, FILCH_NEVER), 1);
	memset(control, 0, sizeof(control));
	CHECK_EQ(filch_recvmsg(s[0], &m, 0, FILCH_NEVER), 1);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_type == SCM_RIGHTS);
	passed = (int *)(void *)CMSG_DATA(c);
	CHECK_EQ(filch_write(*passed, "y", 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(pipe_ends[0], &byte, 1, FILCH_NEVER), 1);
	CHECK_EQ(byte, 'y');
	CHECK_EQ(filch_recvmsg(s[0], &m, 0, filch_after(5 * MS)), -ETIMEDOUT);
	filch_close(*passed);
	close_both(s);
	close_both(pipe_ends);
}

Test(io_more, a_message_carries_a_descriptor)
{
	in_task_and_thread(messages, NULL);
}

#define FILE_BYTES 300000

static int make_file(void)
{
	char name[] = "/tmp/filch-test-XXXXXX";
	int fd = mkstemp(name);

	CHECK(fd >= 0 && !unlink(name));
	for (int i = 0; i < FILE_BYTES; i++)
		CHECK_EQ(write(fd, &(char){ (char)(i * 7) }, 1), 1);
	return fd;
}

static void drain(void *arg)
{
	int *fd = arg;
	char buf[1000];
	long at = 0;

	while (at < FILE_BYTES) {
		ssize_t n = filch_read(*fd, buf, sizeof(buf), FILCH_NEVER);

		CHECK(n > 0);
		for (ssize_t i = 0; i < n; i++)
			CHECK_EQ(buf[i], (char)((at + i) * 7));
		at += n;
	}
}

static void send_file(int flags, bool with_offset)
{
	int s[2], file = make_file();
	struct beside reader;
	off_t offset = 0;
	long left = FILE_BYTES;

	make_sockets(s, flags);
	CHECK_EQ(lseek(file, 0, SEEK_SET), 0);
	beside(&reader, drain, &s[0]);
	while (left) {
		ssize_t n = filch_sendfile(s[1], file, with_offset ? &offset : NULL, (size_t)left,
		                           FILCH_NEVER);

		CHECK(n > 0 && n <= left);
		left -= n;
	}
	CHECK_EQ(with_offset ? offset : lseek(file, 0, SEEK_CUR), FILE_BYTES);
	CHECK_EQ(filch_sendfile(s[1], file, &(off_t){ FILE_BYTES }, 10, FILCH_NEVER), 0);
	finish(&reader);
	close_both(s);
	filch_close(file);
}

static void send_files(void *arg)
{
	(void)arg;
	send_file(0, true);
	send_file(0, false);
	send_file(SOCK_NONBLOCK, true);
	send_file(SOCK_NONBLOCK, false);
}

Test(io_more, a_file_goes_to_a_socket_that_blocks_or_not)
{
	in_task_and_thread(send_files, NULL);
}

static void write_later(void *arg)
{
	int *fd = arg;

	sleep_ms(10);
	CHECK_EQ(write(*fd, "x", 1), 1);
}

static void readiness(void *arg)
{
	struct beside writer;
	int s[2];
	char c;

	(void)arg;
	make_sockets(s, 0);
	CHECK_EQ(filch_poll(s[0], POLLIN, filch_after(5 * MS)), -ETIMEDOUT);
	CHECK_EQ(filch_poll(s[0], POLLIN | POLLOUT, FILCH_NEVER), POLLOUT);
	beside(&writer, write_later, &s[1]);
	CHECK_EQ(filch_poll(s[0], POLLIN, FILCH_NEVER), POLLIN);
	finish(&writer);
	CHECK_EQ(filch_poll(s[0], POLLIN, 0), POLLIN);
	CHECK_EQ(filch_recv(s[0], &c, 1, 0, 0), 1);
	CHECK_EQ(filch_close(s[1]), 0);
	CHECK(filch_poll(s[0], POLLIN, FILCH_NEVER) & POLLHUP);
	CHECK_EQ(filch_close(s[0]), 0);
	CHECK_EQ(filch_poll(s[0], POLLIN, FILCH_NEVER), -EBADF);
}

Test(io_more, a_poll_tells_what_is_ready_and_takes_nothing)
{
	in_task_and_thread(readiness, NULL);
}
