/* SPDX-License-Identifier: MIT */
/*
 * The poller over io_uring: readiness by a poll that stays (multishot), and for streams that are
 * read the bytes themselves, by a receive that stays, into buffers that all streams of a worker
 * share. So a connection that is idle holds no buffer, and a read of what has arrived is no system
 * call. The kernel is entered when a descriptor is added or forgotten, and to sleep.
 *
 * A listening socket is only polled: connections that were accepted ahead of the calls would not be
 * in the backlog, where they can wait for another process, or for more room.
 *
 * Who does what. A ring belongs to a worker. The kernel does the work of a request in the thread
 * that submitted it, when that next enters or leaves the kernel (COOP_TASKRUN; it says by a flag
 * that there is some), and what is submitted ends with the thread: so only the owner adds. Any
 * thread may cancel, and may deliver what the kernel has completed: the watcher does so for a
 * worker that computes, whose processor it first interrupts (membarrier), since that enters and
 * leaves the kernel. (With SINGLE_ISSUER and DEFER_TASKRUN only the owner could, and would have to
 * be in the kernel for it.) Two locks: submitting, under which a request is written and the kernel
 * entered for it; and delivering, under which completions are taken in order and brought to their
 * descriptors, since two threads could bring the bytes of one stream in the wrong order.
 *
 * No event is lost. A completion stays in the ring until somebody has delivered it; the kernel
 * keeps those that do not fit (NODROP). The owner sleeps in the kernel, which returns at once if
 * there is one. A kick is a completion too, of a poll of an eventfd, and is the owner's: another
 * who delivers takes it out of the way and kicks again, or the owner, not yet asleep, would find
 * the ring empty and sleep on. A request that has ended (no F_MORE), for whatever reason, is told to
 * the descriptor, and whoever waits there looks again and adds it anew.
 *
 * Which incarnation of a number a completion is for is in its user_data, with the number: one that
 * comes after the close (descriptor_received(), descriptor_unwatched()) changes nothing.
 *
 * Who owns a buffer is said in buffers.c. No caller's memory is ever in the kernel's hands: so a
 * call can give up at any time.
 *
 * A close cancels first, or the kernel would keep the file open. A poll it waits for until it has
 * ended (held): a listening socket would go on taking connections. A stream whose receive another
 * thread has to end is really closed when that has next been in the kernel: at its next system call
 * or the next tick of its processor.
 */
#include "buffers.h"
#include "poller.h"

#ifdef WITH_URING
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "descriptor.h"
#include "futex.h"
#include "sanitizer.h"
#include "worker.h"

#define ENTRIES     64   /* to submit at once: one would do */
#define COMPLETIONS 4096 /* beyond, the kernel keeps a list */
#define LONG        ((int64_t)1 << 60) /* ns: 36 years, to which the kernel can add its clock */

/* What a completion is for, in the lowest bits of its user_data; or as enum watching has it. */
enum { KICK = BYTES + 1, CANCEL };

struct uring {
	struct poller poller;
	uint64_t submitting, delivering; /* locks */
	bool kickable; /* the owner's: the kick is polled */
	int kick;
	unsigned requests; /* in the kernel; relaxed: the owner adds, and looks only when it leaves */
	struct pool *pool;
	struct io_uring ring;
};

static struct uring *uring_of(struct poller *p)
{
	return container_of(p, struct uring, poller);
}

static bool is_mine(struct uring *u)
{
	struct worker *w = worker_here();

	return w && w->poller == &u->poller;
}

/* ---- the ring ---- */

static int open_ring(struct io_uring *ring)
{
	struct io_uring_params params = { .flags = IORING_SETUP_COOP_TASKRUN |
		                                   IORING_SETUP_TASKRUN_FLAG |
		                                   IORING_SETUP_CQSIZE,
		                          .cq_entries = COMPLETIONS };

	return io_uring_queue_init_params(ENTRIES, ring, &params);
}

static bool completed(struct uring *u)
{
	/* Acquire: a completion before it is read. Pairs with the kernel. Relaxed: moved by us. */
	return load_acquire(u->ring.cq.ktail) != load_relaxed(u->ring.cq.khead);
}

/* Is there work that the owner would do on its way out of the kernel? */
static bool kernel_has_work(struct uring *u)
{
	/* Acquire: so that completions which were there before are seen after. */
	return load_acquire(u->ring.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

static void enter(struct uring *u, unsigned least, const struct __kernel_timespec *timeout)
{
	struct io_uring_getevents_arg arg = { .ts = (uintptr_t)timeout };

	io_uring_enter2((unsigned)u->ring.ring_fd, 0, least,
	                IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)&arg, sizeof(arg));
}

/* ---- what is delivered ---- */

static uint64_t key(int fd, uint32_t closes, unsigned what)
{
	return (uint64_t)(unsigned)fd << 40 | (uint64_t)closes << 8 | what;
}

/*
 * What a wake-up was for, the ring tells as the waker named it: of each arrival at a socket as one
 * of urgent data too. Taken for true that would cost a stream a question to the kernel in each wait
 * from then on (EAGER). The descriptor is open: see held.
 */
static __attribute__((noinline)) uint32_t without_rumours(int fd, uint32_t events)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI };
	int saved = errno;

	if (!(events & POLLPRI))
		return events;
	/* Relaxed: without it the kernel is asked. It may have been watched before the first accept. */
	if (load_relaxed(&descriptor_at(fd)->accepts) ||
	    (poll(&p, 1, 0) >= 0 && !(p.revents & POLLPRI)))
		events &= ~(uint32_t)POLLPRI;
	errno = saved;
	return events;
}

static void bring(struct uring *u, const struct io_uring_cqe *cqe)
{
	bool more = cqe->flags & IORING_CQE_F_MORE;
	uint32_t closes = (uint32_t)(cqe->user_data >> 8);
	int fd = (int)(cqe->user_data >> 40);
	unsigned what = cqe->user_data & 0xff;

	if (what == CANCEL)
		return;
	if (what == BYTES)
		descriptor_received(descriptor_at(fd), fd, closes, lend(u->pool, cqe), cqe->res, more);
	if (what == EVENTS && cqe->res > 0)
		descriptor_ready(descriptor_at(fd), closes,
		                 without_rumours(fd, (uint32_t)cqe->res));
	if (more)
		return;
	if (what == EVENTS) {
		descriptor_unwatched(descriptor_at(fd), closes, &u->poller);
		add_seq(&descriptor_at(fd)->held, -1u);
	}
	if (what == KICK)
		u->kickable = false;
	else
		add_relaxed(&u->poller.watched, -1u); /* relaxed: see there */
	add_relaxed(&u->requests, -1u); /* relaxed: see there */
}

static void uring_kick(struct poller *p)
{
	uint64_t one = 1;
	int saved = errno;

	if (write(uring_of(p)->kick, &one, sizeof(one)) < 0)
		errno = saved; /* full, which would take centuries */
}

static void deliver_locked(struct uring *u, bool mine)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	bool kicked = false;

	sanitizer_after(&filch_watched_);
	io_uring_for_each_cqe(&u->ring, head, cqe)
	{
		bool kick = !mine && (cqe->user_data & 0xff) == KICK;

		if (kick && !(cqe->flags & IORING_CQE_F_MORE))
			break; /* to poll for kicks again is for the owner */
		kicked |= kick;
		bring(u, cqe);
		n++;
	}
	io_uring_cq_advance(&u->ring, n);
	if (kicked)
		uring_kick(&u->poller);
}

static void uring_deliver(struct poller *p)
{
	struct uring *u = uring_of(p);
	uint64_t word;

	if (!completed(u))
		return;
	word = lock(&u->delivering);
	deliver_locked(u, true);
	unlock(&u->delivering, word);
}

/* For a worker that computes. What its processor does on the way back is seen now, or next time. */
static void help(struct uring *u)
{
	int saved = errno;

	if (!completed(u) && kernel_has_work(u))
		syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
	errno = saved;
	if (!completed(u) || !try_lock(&u->delivering))
		return;
	deliver_locked(u, false);
	unlock(&u->delivering, 0);
}

static void uring_poll(struct poller *p)
{
	struct uring *u = uring_of(p);

	if (!is_mine(u)) {
		help(u);
		return;
	}
	if (!completed(u) && kernel_has_work(u))
		enter(u, 0, NULL);
	uring_deliver(p);
}

/* The flag first: it falls only when what it stood for has been completed. */
static bool uring_pending(struct poller *p)
{
	struct uring *u = uring_of(p);

	return kernel_has_work(u) || completed(u);
}

/* ---- what is submitted ---- */

/* NULL: the queue is full of what the kernel had no memory to take, and still has none. */
static struct io_uring_sqe *next_request(struct uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

	if (sqe)
		return sqe;
	sanitizer_before(&filch_watched_);
	io_uring_submit(&u->ring);
	return io_uring_get_sqe(&u->ring);
}

/* One request, which fill() has begun; submitted at once, so that none lies here unseen. */
static int submit(struct uring *u, struct io_uring_sqe *sqe, uint64_t user_data)
{
	int n;

	io_uring_sqe_set_data64(sqe, user_data);
	sanitizer_before(&filch_watched_);
	do {
		n = io_uring_submit(&u->ring);
	} while (n == -EINTR);
	if (n >= 0)
		return 0;
	io_uring_prep_nop(sqe); /* it is still in the queue */
	io_uring_sqe_set_data64(sqe, CANCEL);
	return n;
}

static void prepare(struct io_uring_sqe *sqe, int fd, const struct descriptor *d,
                    enum watching what)
{
	/* Relaxed: without it there is more to look at. */
	unsigned events = load_relaxed(&d->accepts) ? POLLIN
	                                            : POLLIN | POLLOUT | POLLRDHUP | POLLPRI;

	if (what == EVENTS) {
		io_uring_prep_poll_multishot(sqe, fd, events);
		return;
	}
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST; /* it was found empty just now */
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BUFFER_GROUP;
}

/*
 * The ring would tell too late that a number is no descriptor; and of what cannot be waited for, as
 * most files, that it is ready, again and again. Of that it is epoll that has an error (if there
 * is a descriptor left for one).
 */
static int check_pollable(int fd, struct descriptor *d)
{
	int kind = descriptor_kind(d, fd), saved = errno, error = 0, epoll = -1;
	bool socket = kind == STREAM_SOCKET || kind == OTHER_SOCKET;

	if (fcntl(fd, F_GETFD) < 0)
		error = -errno;
	else if (!socket)
		epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll >= 0) {
		struct epoll_event none = { .events = 0 };

		if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &none) && errno == EPERM)
			error = -EPERM;
		close(epoll);
	}
	errno = saved;
	return error;
}

static int uring_watch(struct poller *p, int fd, struct descriptor *d, enum watching what)
{
	struct uring *u = uring_of(p);
	int error = what == EVENTS ? check_pollable(fd, d)
	            : u->pool      ? 0
	                           : pool_new(&u->pool, &u->ring);
	struct io_uring_sqe *sqe;
	uint64_t word;

	if (error)
		return error;
	word = lock(&u->submitting);
	sqe = next_request(u);
	if (!sqe) {
		unlock(&u->submitting, word);
		return -ENOMEM;
	}
	prepare(sqe, fd, d, what);
	/* Relaxed: see there. Before it can end. */
	add_relaxed(&p->watched, 1u);
	add_relaxed(&u->requests, 1u); /* relaxed: the same */
	add_seq(&d->held, what == EVENTS);
	error = submit(u, sqe, key(fd, load_seq(&d->closes), what));
	if (error) {
		add_seq(&d->held, -(uint32_t)(what == EVENTS));
		add_relaxed(&p->watched, -1u); /* relaxed: the same */
		add_relaxed(&u->requests, -1u); /* relaxed: the same */
	}
	unlock(&u->submitting, word);
	return error;
}

static void cancel(struct uring *u, uint64_t user_data, unsigned flags)
{
	uint64_t word = lock(&u->submitting);
	struct io_uring_sqe *sqe = next_request(u);

	if (sqe) {
		io_uring_prep_cancel64(sqe, user_data, (int)flags);
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
		submit(u, sqe, CANCEL);
	}
	unlock(&u->submitting, word);
}

static void uring_forget(struct poller *p, int fd, struct descriptor *d, enum watching what)
{
	cancel(uring_of(p), key(fd, load_seq(&d->closes), what), 0);
}

/* ---- sleeping ---- */

static void need_kick(struct uring *u)
{
	struct io_uring_sqe *sqe;
	uint64_t word;

	if (u->kickable)
		return;
	word = lock(&u->submitting);
	sqe = next_request(u);
	if (sqe) {
		io_uring_prep_poll_multishot(sqe, u->kick, POLLIN);
		u->kickable = !submit(u, sqe, KICK);
	}
	add_relaxed(&u->requests, u->kickable); /* relaxed: see there */
	unlock(&u->submitting, word);
}

static void uring_wait(struct poller *p, int64_t deadline)
{
	struct uring *u = uring_of(p);
	int64_t left = deadline == FILCH_NEVER ? 0 : deadline - filch_now();
	struct timespec t = timespec_of(left < 0 ? 0 : left < LONG ? left : LONG);
	struct __kernel_timespec timeout = { t.tv_sec, t.tv_nsec };

	need_kick(u);
	if (u->kickable && !completed(u))
		enter(u, 1, deadline == FILCH_NEVER ? NULL : &timeout);
}

static void uring_leave(struct poller *p)
{
	struct uring *u = uring_of(p);

	while (load_relaxed(&u->requests)) { /* relaxed: see there */
		cancel(u, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		enter(u, 0, NULL);
		uring_deliver(p);
	}
}

/* ---- a poller's life ---- */

static struct poller *uring_make(void)
{
	struct uring *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (u->kick < 0 || open_ring(&u->ring)) {
		if (u->kick >= 0)
			close(u->kick);
		free(u);
		return NULL;
	}
	u->poller.kind = poller_uring();
	return &u->poller;
}

static void uring_free(struct poller *p)
{
	struct uring *u = uring_of(p);

	io_uring_queue_exit(&u->ring);
	close(u->kick);
	if (u->pool)
		pool_leave(u->pool);
	free(u);
}

static const struct poller_kind uring_kind = {
	.receives = true,
	.make = uring_make,
	.free = uring_free,
	.watch = uring_watch,
	.forget = uring_forget,
	.poll = uring_poll,
	.pending = uring_pending,
	.wait = uring_wait,
	.deliver = uring_deliver,
	.kick = uring_kick,
	.leave = uring_leave,
};

static bool works;

/* Receives that stay came with Linux 6.0, as did the operation asked for. */
static void try_it(void)
{
	const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG;
	struct io_uring_probe *probe;
	struct io_uring ring;

	if (open_ring(&ring))
		return;
	probe = io_uring_get_probe_ring(&ring);
	works = probe && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC) &&
	        (ring.features & needed) == needed &&
	        !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
	io_uring_free_probe(probe);
	io_uring_queue_exit(&ring);
}

const struct poller_kind *poller_uring(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno;

	pthread_once(&once, try_it);
	errno = saved;
	return works ? &uring_kind : NULL;
}

#else

const struct poller_kind *poller_uring(void)
{
	return NULL;
}

#endif
