/* SPDX-License-Identifier: MIT */
/*
 * How many workers there are, from the start on.
 *
 * The table of workers holds a record for each number that was ever in use. Records are made before
 * they are counted in known, and live until the runtime is freed; known only grows. So whoever
 * walks the table (thieves, wakers, the watcher, statistics) reads known once and is done: no lock,
 * no grace period. It misses a worker that came after, as if it had looked a moment before: the
 * arguments of park.c, fork.c and stats.c are about what was there when it looked.
 *
 * active says how many are to run: those of the lowest numbers. A worker compares its number with
 * it between two items, and leaves if it is one too many. In what it leaves behind nothing waits
 * for ever:
 *
 *	its queues and its inbox are walked by thieves like anybody's. Whoever made an item available
 *	there woke a sleeper for it if one was needed (park.c), but for a searcher, which was
 *	perhaps the worker that leaves: so that ends its search as if it had found something, looks
 *	for more, and wakes another. So it does for what nobody was woken for, since it would have
 *	come to it by itself.
 *	its deadlines move to worker 0, which never leaves, and is woken to look at them.
 *	its poller lets go of every descriptor, and who waits on one looks again, and watches it
 *	where it runs then.
 *	stacks, slots and nodes in hand go back to where they came from.
 *	a long computation is asked by the watcher to give way at its next fork or join (watch.c);
 *	whatever it is that runs there is finished first.
 *	if it has run the last task of a runtime that stops, it ends it.
 *
 * A worker that is to come back before it is gone. Its last step, and the step of who wants it,
 * both seq_cst:
 *
 *	leaver				resizer
 *	L1 state = AWAY			R1 active = more than its number
 *	L2 read active: to leave?	R2 state from AWAY to AWAKE by CAS: start a thread
 *	L3 no: state from AWAY to
 *	   AWAKE by CAS: go on
 *
 * If R2 comes before L1 it fails, then L2 sees R1, and the leaver goes on unless another resizer
 * has the better of it. Otherwise one of the two takes the state, and there is one thread: the
 * leaver that loses ends, and is joined before the next one runs on its record.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpus.h"
#include "overflow.h"
#include "saved_errno.h"
#include "worker.h"

/*
 * What a thread does to itself; blocking these would make the kernel kill the process without a
 * word.
 */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

/* noinline, as start(): the caller may go on in another thread in between. */
static __attribute__((noinline)) int new_worker(struct filch *rt)
{
	unsigned i = rt->known; /* only the resizer writes it */
	int saved = errno, error = -ENOMEM;
	struct worker *w = aligned_alloc(CACHE_LINE, sizeof(*w));

	if (w) {
		memset(w, 0, sizeof(*w));
		if (rt->places)
			w->place = rt->place[i % rt->places];
		error = worker_init(w, rt, i);
	}
	if (!error) {
		rt->worker[i] = w;
		store_seq(&rt->known, i + 1);
	} else if (w) {
		worker_destroy(w);
		free(w);
	}
	restore_errno(saved);
	return error;
}

static void *thread_main(void *worker)
{
	struct worker *w = worker;
	char name[16];

	snprintf(name, sizeof(name), "filch/%u", w->index);
	pthread_setname_np(pthread_self(), name);
	cpus_as(w->rt->watch.thread); /* who made this thread may be bound to fewer */
	if (w->rt->places)
		cpus_bind(w->place.cpu);
	if (w->rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_begin_thread();
	worker_main(w);
	if (w->rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_end_thread();
	return NULL;
}

/*
 * Workers leave asynchronous signals to the program's own threads, and keep those that say that
 * they did something wrong.
 */
int thread_create(pthread_t *id, void *(*main)(void *), void *arg)
{
	sigset_t ours, before;
	int error;

	sigfillset(&ours);
	for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
		sigdelset(&ours, synchronous[i]);
	pthread_sigmask(SIG_SETMASK, &ours, &before);
	error = pthread_create(id, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

static void join(struct worker *w)
{
	if (w->joinable)
		pthread_join(w->id, NULL);
	w->joinable = false;
}

/* Give it a thread, unless it has one that has not left yet, and will not. */
static __attribute__((noinline)) int start(struct worker *w)
{
	uint32_t state = AWAY;
	int saved = errno, error;

	if (!cas_seq(&w->park.state, &state, AWAKE))
		return 0;
	join(w);
	error = thread_create(&w->id, thread_main, w);
	w->joinable = !error;
	if (error)
		store_seq(&w->park.state, (uint32_t)AWAY);
	restore_errno(saved);
	return error;
}

/* L1 to L3 above: true when the calling thread is to end. */
bool worker_left(struct worker *w)
{
	struct filch *rt = w->rt;
	bool ended = !load_seq(&rt->active);
	uint32_t state = AWAY;

	if (!ended)
		worker_hand_over(w);
	poller_leave(w->poller);
	store_seq(&w->park.state, (uint32_t)AWAY);
	/* It has perhaps run the last task, and the others have looked before and sleep. */
	if (!ended && load_seq(&rt->stopping) && runtime_quiet(rt))
		runtime_end(rt);
	return leaving(w) || !cas_seq(&w->park.state, &state, AWAKE);
}

/* Whoever is one too many may be asleep. */
static void send_away(struct filch *rt)
{
	for (unsigned i = load_seq(&rt->active); i < rt->known; i++)
		wake(rt, rt->worker[i]);
}

/* A task that resizes does not hold its worker for long. One that starts a runtime does not wait. */
static void let_others(bool resizes)
{
	if (resizes)
		filch_yield();
}

int workers_set(struct filch *rt, unsigned n)
{
	uint32_t before = load_seq(&rt->active), now = n;
	int error = 0;

	if (!before && load_seq(&rt->known))
		return -ESHUTDOWN; /* it has ended, and workers_join() is at it */
	for (; rt->known < n && !error; let_others(before))
		error = new_worker(rt);
	if (error)
		return error;
	if (!cas_seq(&rt->active, &before, n))
		return -ESHUTDOWN; /* it has ended */
	for (unsigned i = before; i < n && !error; i++, let_others(before))
		error = start(rt->worker[i]);
	if (error)
		cas_seq(&rt->active, &now, before);
	send_away(rt);
	return error;
}

/*
 * A resize by a task may go on until the runtime has ended, which is when worker 0 leaves. Threads
 * outside may still be at it then; waiting for them must not suspend a task.
 */
void workers_join(struct filch *rt)
{
	if (load_seq(&rt->known))
		join(rt->worker[0]);
	while (filch_mutex_trylock(&rt->resizing))
		sched_yield();
	for (unsigned i = 0; i < rt->known; i++)
		join(rt->worker[i]);
}

int filch_resize(filch *rt, unsigned workers)
{
	int error;

	if (!rt || !workers || workers > MAX_WORKERS)
		return -EINVAL;
	if (load_seq(&rt->stopping))
		return -ESHUTDOWN; /* before the lock, which a child of fork(2) may find taken */
	error = filch_mutex_lock(&rt->resizing, FILCH_NEVER);
	if (error)
		return error; /* no memory to publish the forks of who waits */
	error = load_seq(&rt->stopping) ? -ESHUTDOWN : workers_set(rt, workers);
	filch_mutex_unlock(&rt->resizing);
	return error;
}
