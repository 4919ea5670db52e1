/* SPDX-License-Identifier: MIT */
/* The table of descriptors, and their closing. Who waits for one, and why no event is lost: ready.c. */
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "futex.h"
#include "saved_errno.h"
#include "worker.h"

#define CLOSING   ((uint32_t)1 << 31)
#define PER_CHUNK 1024
#define CHUNKS    8192 /* eight million descriptors */
/* Between two looks whether a poll has ended; the watcher may have to help a worker that computes. */
#define LET_GO ((int64_t)1000000)

static struct descriptor *chunk[CHUNKS];

static struct descriptor *look_up(int fd)
{
	/* Acquire: a zeroed chunk before its use. Pairs with the CAS in make_chunk(). */
	struct descriptor *d = load_acquire(&chunk[fd / PER_CHUNK]);

	return d ? d + fd % PER_CHUNK : NULL;
}

struct descriptor *descriptor_at(int fd)
{
	return look_up(fd);
}

static struct descriptor *make_chunk(int fd)
{
	int saved = errno;
	struct descriptor *none = NULL, *d = calloc(PER_CHUNK, sizeof(*d));

	restore_errno(saved);
	if (!d)
		return NULL;
	/* seq_cst: before the look at whether a runtime stops. Pairs with descriptors_cancel(). */
	if (!cas_seq(&chunk[fd / PER_CHUNK], &none, d))
		free(d);
	return look_up(fd);
}

static struct descriptor *descriptor_of(int fd, int *error)
{
	struct descriptor *d;

	if (fd < 0 || fd >= PER_CHUNK * CHUNKS) {
		*error = -EBADF;
		return NULL;
	}
	d = look_up(fd);
	if (!d)
		d = make_chunk(fd);
	if (!d)
		*error = -ENOMEM;
	return d;
}

/* Nobody enters once it is closing: then the count can only fall, and reaches its end once. */
struct descriptor *descriptor_enter(int fd, int *error)
{
	struct descriptor *d = descriptor_of(fd, error);
	uint32_t users;

	if (!d)
		return NULL;
	users = load_relaxed(&d->users); /* relaxed: the CAS checks it */
	do {
		if (users & CLOSING) {
			*error = -ECANCELED;
			return NULL;
		}
	} while (!cas_seq(&d->users, &users, users + 1));
	return d;
}

bool descriptor_closing(struct descriptor *d)
{
	return load_seq(&d->users) & CLOSING;
}

/*
 * Take it out of its poller, if rt is that poller's runtime or NULL. The lock is held across a
 * system call, since a stop of that runtime frees the poller; but for that nobody waits for it.
 */
void descriptor_unwatch(struct descriptor *d, int fd, struct filch *rt)
{
	uint64_t word = lock(&d->side[READING].word);

	if (load_seq(&d->poller) && (!rt || load_seq(&d->rt) == rt)) {
		poller_forget(load_seq(&d->poller), fd, d, EVENTS);
		store_seq(&d->poller, (struct poller *)NULL);
		store_seq(&d->rt, (struct filch *)NULL);
	}
	if (!rt) {
		if (load_seq(&d->receiver))
			poller_forget(load_seq(&d->receiver), fd, d, BYTES);
		store_seq(&d->receiver, (struct poller *)NULL);
		staged_drop(&d->staged);
		d->reads = false;
		store_relaxed(&d->accepts, (uint8_t)0); /* relaxed: a hint */
		add_seq(&d->closes, 1u);
	}
	unlock(&d->side[READING].word, word);
}

/*
 * A poll that was told to end may not have, and keeps what it polls open: a listening socket would
 * still take connections. Who waits here for another worker may be waited for by that one.
 */
void descriptor_until_let_go(struct descriptor *d)
{
	struct worker *w = worker_here();
	uint32_t held;

	for (unsigned turns = 0; (held = load_seq(&d->held)); turns++) {
		if (w)
			poller_poll(w->poller);
		if (turns < 100)
			sched_yield();
		else
			futex_wait(&d->held, held, filch_after(LET_GO));
	}
}

/*
 * Nobody uses it any more: what is known of the number is forgotten before it can be given out
 * again. Under the locks, since a poller may still be bringing an event for it.
 */
static __attribute__((noinline)) void really_close(struct descriptor *d, int fd)
{
	int saved = errno;

	descriptor_unwatch(d, fd, NULL);
	descriptor_until_let_go(d);
	for (int i = 0; i < SIDES; i++) {
		uint64_t word = lock(&d->side[i].word);

		unlock(&d->side[i].word, word & ~EAGER); /* events are counted on */
	}
	store_seq(&d->kind, (uint8_t)UNKNOWN);
	store_seq(&d->users, (uint32_t)0);
	close(fd);
	errno = saved;
}

void descriptor_leave(struct descriptor *d, int fd)
{
	if (add_seq(&d->users, -(uint32_t)1) == (CLOSING | 1))
		really_close(d, fd);
}

static __attribute__((noinline)) bool is_open(int fd)
{
	int saved = errno;
	bool open = fcntl(fd, F_GETFD) >= 0;

	errno = saved;
	return open;
}

/* What filch knows is closed by filch alone; a number that it does not know may be anything. */
static bool can_be_closed(int fd)
{
	struct descriptor *d = fd >= 0 && fd < PER_CHUNK * CHUNKS ? look_up(fd) : NULL;

	return (d && load_relaxed(&d->kind) != UNKNOWN) ||
	       is_open(fd); /* relaxed: see find_out() */
}

int filch_close(int fd)
{
	int error = -EBADF;
	struct descriptor *d;
	uint32_t users;

	if (!can_be_closed(fd) || !(d = descriptor_enter(fd, &error)))
		return error == -ECANCELED ? -EBADF : error;
	users = load_seq(&d->users);
	do {
		if (users & CLOSING) {
			descriptor_leave(d, fd);
			return -EBADF;
		}
	} while (!cas_seq(&d->users, &users, users | CLOSING));
	descriptor_end_waits(d, -ECANCELED);
	descriptor_leave(d, fd);
	return 0;
}

/* ---- what is known ---- */

void descriptor_made(int fd, int kind, bool nonblocking)
{
	int error;
	struct descriptor *d = descriptor_of(fd, &error);

	if (!d)
		return; /* it will be asked for again */
	/* Relaxed: the number is new, and nobody else has it. */
	store_relaxed(&d->kind, (uint8_t)kind);
	store_relaxed(&d->nonblocking, (uint8_t)nonblocking); /* relaxed: the same */
}

/* A local stream stops at ancillary data, and one of SCTP at each message, with more behind it. */
static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t length = sizeof(protocol);

	return !getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) &&
	       (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

static void find_out(struct descriptor *d, int fd)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL), kind = OTHER, type = 0;
	socklen_t length = sizeof(type);

	if (flags < 0 || fstat(fd, &st))
		return;
	if (!getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length))
		kind = OTHER_SOCKET;
	if (type == SOCK_STREAM && is_tcp(fd))
		kind = STREAM_SOCKET;
	if (kind == OTHER && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode)))
		kind = REGULAR;
	/* Relaxed: anybody finds out the same. */
	store_relaxed(&d->nonblocking, (uint8_t) !!(flags & O_NONBLOCK));
	/* Release: the other one first. Pairs with descriptor_kind(). */
	store_release(&d->kind, (uint8_t)kind);
}

__attribute__((noinline)) int descriptor_kind(struct descriptor *d, int fd)
{
	int saved = errno;

	/* Acquire: what else was found out. Pairs with find_out(). */
	if (load_acquire(&d->kind) == UNKNOWN)
		find_out(d, fd);
	errno = saved;
	return load_relaxed(&d->kind); /* relaxed: acquired above, or found out here */
}

/* ---- all of them ---- */

void descriptors_each(void (*visit)(struct descriptor *d, void *arg), void *arg)
{
	for (int i = 0; i < CHUNKS; i++) {
		struct descriptor *d = load_seq(&chunk[i]); /* seq_cst: see make_chunk() */

		for (int j = 0; d && j < PER_CHUNK; j++)
			visit(d + j, arg);
	}
}

void descriptors_forget(struct filch *rt, struct poller *poller)
{
	for (int i = 0; i < CHUNKS; i++) {
		struct descriptor *d = load_acquire(&chunk[i]); /* acquire: as look_up() */

		for (int j = 0; d && j < PER_CHUNK; j++) {
			if (load_seq(&d[j].rt) != rt ||
			    (poller && load_seq(&d[j].poller) != poller))
				continue;
			descriptor_unwatch(&d[j], i * PER_CHUNK + j, rt);
			/* Those who wait look again, and watch it where they run. */
			descriptor_end_waits(&d[j], 0);
		}
	}
}

void descriptors_forget_all(void)
{
	for (int i = 0; i < CHUNKS; i++) {
		if (chunk[i])
			memset(chunk[i], 0, PER_CHUNK * sizeof(*chunk[i]));
	}
}
