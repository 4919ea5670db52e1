/* SPDX-License-Identifier: MIT */
/*
 * Each worker adds to a part of its own, so its lock is free but for the moment in which the thread
 * exchanges the full buffer for an empty one. Whoever meets the thread there takes the next part.
 * Whoever finds the buffer full leaves the line out and counts it.
 */
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define ATTEMPTS 16
#define GATHER   20 /* ms: lines that come together are written together */
#define RETRY    500 /* ms */
#define LINE     2048
#define TARGET   1200 /* of it, as it is in the log */

/* ---- a line --------------------------------------------------------------------------------- */

static int put_time(char *to, size_t size)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%FT%T", &tm);
	return snprintf(to, size, "{\"time\":\"%s.%03ldZ\"", text, now.tv_nsec / 1000000);
}

/* getpeername(2) has forgotten who reset the connection. SO_PEERNAME takes no room to spare. */
static int put_client(char *to, size_t size, int fd, socklen_t length)
{
	struct sockaddr_in6 peer = { 0 }; /* the larger of the two */
	struct sockaddr_in *v4 = (struct sockaddr_in *)&peer;
	char host[INET6_ADDRSTRLEN] = "";

	if (!length)
		return snprintf(to, size, ",\"client\":\"unix\"");
	getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &peer, &length);
	if (peer.sin6_family == AF_INET6)
		inet_ntop(AF_INET6, &peer.sin6_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
	return snprintf(to, size, ",\"client\":\"%s%s%s:%u\"",
	                peer.sin6_family == AF_INET6 ? "[" : "", host,
	                peer.sin6_family == AF_INET6 ? "]" : "", ntohs(peer.sin6_port));
}

/* As a JSON string, whatever bytes it has. */
static size_t put_target(char *to, struct text target)
{
	static const char hex[] = "0123456789abcdef";
	char *at = to;

	for (size_t i = 0; i < target.length; i++) {
		unsigned char c = (unsigned char)target.at[i];

		if (at - to > TARGET - 16) {
			memcpy(at, "...", 3);
			return (size_t)(at + 3 - to);
		}
		if (c == '"' || c == '\\') {
			*at++ = '\\';
			*at++ = (char)c;
		} else if (c < ' ' || c > '~') {
			memcpy(at, "\\u00", 4);
			at[4] = hex[c >> 4];
			at[5] = hex[c & 15];
			at += 6;
		} else {
			*at++ = (char)c;
		}
	}
	return (size_t)(at - to);
}

static size_t print_line(const struct log *l, char *to, const struct log_line *line)
{
	size_t n = (size_t)put_time(to, LINE);

	n += (size_t)put_client(to + n, LINE - n, line->client, l->address);
	if (line->target.at) {
		n += (size_t)snprintf(to + n, LINE - n, ",\"method\":\"%s\",\"target\":\"",
		                      line->method);
		n += put_target(to + n, line->target);
		to[n++] = '"';
	}
	n += (size_t)snprintf(to + n, LINE - n, ",\"status\":%d,\"bytes\":%zu,\"ms\":%.3f}\n",
	                      line->status, line->bytes, (double)line->took / 1e6);
	return n;
}

static struct log_part *enter(struct log *l)
{
	unsigned first = (unsigned)filch_worker();

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct log_part *p = &l->part[(first + i) % LOG_PARTS];

		if (filch_mutex_trylock(&p->lock) == 0)
			return p;
	}
	return NULL;
}

static bool add(struct log *l, const char *line, size_t n)
{
	struct log_part *p = enter(l);
	bool room = p && LOG_ROOM - p->length >= n;

	if (room) {
		memcpy(p->lines + p->length, line, n);
		p->length += n;
	}
	if (p)
		filch_mutex_unlock(&p->lock);
	return room;
}

void log_add(struct log *l, const struct log_line *line)
{
	char text[LINE];
	size_t n = print_line(l, text, line);

	if (!add(l, text, n))
		atomic_fetch_add(&l->lost, 1);
	if (atomic_load(&l->asleep) && atomic_exchange(&l->asleep, false))
		eventfd_write(l->wake, 1);
}

/* ---- the thread ----------------------------------------------------------------------------- */

static size_t lines_in(const char *text, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* A pipe takes what it has room for, which may end in the middle of a line. */
static bool end_torn_line(struct log *l)
{
	if (l->torn)
		l->torn = write(l->fd, "\n", 1) != 1;
	return !l->torn;
}

/* What the file does not take (a full disk, a pipe that nobody reads) is lost, and counted. */
static void write_out(struct log *l, const char *text, size_t n)
{
	const char *start = text;
	ssize_t done;

	while (n) {
		done = end_torn_line(l) ? write(l->fd, text, n) : -1;
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			atomic_fetch_add(&l->lost, lines_in(text, n));
			l->torn |= text > start && text[-1] != '\n';
			return;
		}
		text += done;
		n -= (size_t)done;
	}
}

static void tell_lost(struct log *l)
{
	size_t lost = atomic_exchange(&l->lost, 0);
	char text[64];
	ssize_t done;
	int n;

	if (!lost)
		return;
	n = snprintf(text, sizeof(text), "{\"lost\":%zu}\n", lost);
	done = end_torn_line(l) ? write(l->fd, text, (size_t)n) : -1;
	if (done == n)
		return;
	l->torn |= done > 0;
	atomic_fetch_add(&l->lost, lost);
}

/* False: there was nothing. */
static bool write_part(struct log *l, struct log_part *p)
{
	char *lines;
	size_t n;

	filch_mutex_lock(&p->lock, FILCH_NEVER);
	lines = p->lines;
	n = p->length;
	if (n) {
		p->lines = l->spare;
		p->length = 0;
	}
	filch_mutex_unlock(&p->lock);
	if (!n)
		return false;
	l->spare = lines;
	write_out(l, lines, n);
	return true;
}

static bool write_all(struct log *l)
{
	bool some = false;

	for (int i = 0; i < LOG_PARTS; i++)
		some |= write_part(l, &l->part[i]);
	tell_lost(l);
	return some;
}

/* What was lost and could not be told is told later, with or without a line to follow. */
static void wait_for_lines(struct log *l)
{
	struct pollfd on = { l->wake, POLLIN, 0 };
	eventfd_t unused;

	if (poll(&on, 1, atomic_load(&l->lost) ? RETRY : -1) > 0)
		eventfd_read(l->wake, &unused);
}

/* Asleep first, then a last look; log_add() does it the other way round, so one of them sees it. */
static void *run(void *arg)
{
	struct log *l = arg;

	while (!atomic_load(&l->stopping)) {
		atomic_store(&l->asleep, true);
		if (!write_all(l) && !atomic_load(&l->stopping))
			wait_for_lines(l);
		atomic_store(&l->asleep, false);
		poll(NULL, 0, GATHER);
	}
	write_all(l);
	return NULL;
}

/* ---- open and close ------------------------------------------------------------------------- */

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

static int start(struct log *l)
{
	l->wake = eventfd(0, EFD_CLOEXEC);
	l->spare = malloc(LOG_ROOM);
	if (l->wake < 0 || !l->spare)
		return -ENOMEM;
	for (int i = 0; i < LOG_PARTS; i++) {
		l->part[i].lines = malloc(LOG_ROOM); /* touched only if it is used */
		if (!l->part[i].lines)
			return -ENOMEM;
	}
	return -pthread_create(&l->thread, NULL, run, l);
}

int log_open(struct log *l, const char *path, unsigned address)
{
	l->address = address;
	l->fd = path ? open_file(path) : -1;
	if (!path || l->fd < 0)
		return path ? l->fd : 0;
	return start(l);
}

/* The new file gets the number of the old one, in one step for a write in progress. */
int log_reopen(struct log *l, const char *path)
{
	int fd;

	if (l->fd < 0)
		return 0;
	fd = open_file(path);
	if (fd < 0)
		return fd;
	dup3(fd, l->fd, O_CLOEXEC);
	return close(fd);
}

/* Nothing is freed: connections may be left that do not know of the end. */
void log_close(struct log *l)
{
	if (l->fd < 0)
		return;
	atomic_store(&l->stopping, true);
	eventfd_write(l->wake, 1);
	pthread_join(l->thread, NULL);
}
