/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include <filch.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "disk.h"

#define PIECE      (1 << 20)    /* bytes that a client must take in one timeout */
#define LINGER     2000000000ll /* ns for a client to read why it was refused */
#define LOOK_AGAIN 5000000ll    /* ns until the first look at what has left; then twice as much */
#define LOOK_MOST  40000000ll   /* each time, up to this */
#define WASTE      4096         /* what one receive throws away */

static bool send_piece(int fd, const char *data, size_t length, int flags, int64_t deadline)
{
	while (length) {
		ssize_t n = filch_send(fd, data, length, flags, deadline);

		if (n < 0)
			return false;
		data += n;
		length -= (size_t)n;
	}
	return true;
}

bool socket_send(int fd, const char *data, size_t length, int flags, int64_t timeout)
{
	while (length) {
		size_t piece = length < PIECE ? length : PIECE;

		if (!send_piece(fd, data, piece, flags, filch_after(timeout)))
			return false;
		data += piece;
		length -= piece;
	}
	return true;
}

bool socket_send_file(int fd, int file, size_t from, size_t length, int64_t timeout)
{
	off_t at = (off_t)from, end = (off_t)(from + length);

	while (at < end) {
		off_t piece = end - at < PIECE ? end : at + PIECE;
		int64_t deadline;

		disk_fetch(file, at, piece);
		deadline = filch_after(timeout);
		while (at < piece) {
			if (filch_sendfile(fd, file, &at, (size_t)(piece - at), deadline) <= 0)
				return false;
		}
	}
	return true;
}

static size_t queued(int fd, unsigned long what)
{
	int n = 0;

	return ioctl(fd, what, &n) || n < 0 ? 0 : (size_t)n;
}

size_t socket_unsent(int fd)
{
	return queued(fd, SIOCOUTQNSD);
}

size_t socket_unread(int fd)
{
	return queued(fd, SIOCINQ);
}

/* Reset: what was queued then is gone, but the kernel goes on counting it. */
static bool is_dead(int fd)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

/* No event tells when it has left; and once it had to wait, until it was taken. */
void socket_wait_until_sent(int fd, int64_t timeout)
{
	size_t left = socket_unsent(fd);
	int64_t deadline = filch_after((int64_t)(left / PIECE + 1) * timeout);
	int64_t pause = LOOK_AGAIN;

	while (left && !is_dead(fd) && filch_now() < deadline &&
	       !filch_sleep_until(filch_after(pause) < deadline ? filch_after(pause) : deadline)) {
		left = queued(fd, SIOCOUTQ);
		pause = pause < LOOK_MOST ? 2 * pause : pause;
	}
}

void socket_linger(int fd)
{
	int64_t deadline = filch_after(LINGER);
	char waste[WASTE];

	shutdown(fd, SHUT_WR);
	while (filch_now() < deadline && filch_recv(fd, waste, sizeof(waste), 0, deadline) > 0)
		;
}
