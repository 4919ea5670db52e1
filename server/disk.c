/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include <filch.h>
#include <stdbool.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIECE 16384 /* bytes on the stack of a thread of filch_block */

struct reading {
	int fd;
	char *to;
	size_t n;
	off_t from;
	ssize_t result;
};

static ssize_t read_now(int fd, char *to, size_t n, off_t from)
{
	struct iovec iov = { to, n };

	return preadv2(fd, &iov, 1, from, RWF_NOWAIT);
}

static void read_and_block(void *reading)
{
	struct reading *r = reading;

	r->result = pread(r->fd, r->to, r->n, r->from);
}

ssize_t disk_read(int fd, char *to, size_t n, off_t from)
{
	struct reading r = { fd, to, n, from, read_now(fd, to, n, from) };

	if (r.result < 0 && filch_block(read_and_block, &r))
		read_and_block(&r);
	return r.result;
}

static bool in_memory(int fd, off_t at)
{
	char byte;

	return read_now(fd, &byte, 1, at) >= 0; /* 0: it has become shorter */
}

static void fetch_and_block(void *reading)
{
	struct reading *r = reading;
	char piece[PIECE];
	ssize_t n = 1;

	for (off_t at = r->from, end = at + (off_t)r->n; at < end && n > 0; at += n)
		n = pread(r->fd, piece, end - at < PIECE ? (size_t)(end - at) : PIECE, at);
}

void disk_fetch(int fd, off_t from, off_t end)
{
	struct reading r = { .fd = fd, .n = (size_t)(end - from), .from = from };

	if (from < end && !(in_memory(fd, from) && in_memory(fd, end - 1)))
		filch_block(fetch_and_block, &r);
}
