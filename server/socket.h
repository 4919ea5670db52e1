/* SPDX-License-Identifier: MIT */
/* A client's socket: sent to within deadlines, and ended so that nothing is lost that was sent. */
#ifndef SOCKET_H
#define SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * All of it; false: nothing can be sent any more. The timeout is for each MiB: what is large takes
 * its time, and still there is an end to it, and a least speed. Flags are send(2)'s.
 */
bool socket_send(int fd, const char *data, size_t length, int flags, int64_t timeout);

/* The same, of a file. Also false where that has become shorter: what was promised cannot be sent. */
bool socket_send_file(int fd, int file, size_t from, size_t length, int64_t timeout);

/* Bytes that are still here, since the client does not read, or the network is slow. */
size_t socket_unsent(int fd);

size_t socket_unread(int fd); /* bytes that have come, and wait */

/*
 * Wait until there are none. A client that sends something after a close is answered with a reset,
 * and what is still here for it is dropped.
 */
void socket_wait_until_sent(int fd, int64_t timeout);

/*
 * Send the end, and read on for a while: a close with unread input makes a reset, which can overtake
 * the answer.
 */
void socket_linger(int fd);

#endif
