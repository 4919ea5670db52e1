/* SPDX-License-Identifier: MIT */
/*
 * Making items available: in which queue they go, and whom to wake for them. When to wake somebody is
 * argued in park.c.
 */
#include <sched.h>

#include "cpus.h"
#include "steal.h"

#define LONG_SLEEP ((int64_t)200000) /* ns: an idle CPU may be halted by then */

static void rouse(struct worker *w, uint32_t how)
{
	if (how == PARKED)
		park_wake(&w->park);
	else
		poller_kick(w->poller);
}

/*
 * Would Linux run w where its waker computes? It takes milliseconds to find out that w would be better
 * off elsewhere. It prefers the CPU where w went to sleep, unless it knows of a cache that two CPUs
 * share; but the waker's if that one has been idle for so long that a hypervisor has taken it back,
 * while the waker has not computed for long (wake_affine() and vcpu_is_preempted() in Linux).
 */
static bool would_come_here(const struct worker *me, const struct worker *w, int here)
{
	/* Relaxed: old values cost a move, or leave one out. */
	if (load_relaxed(&w->cpu) == here)
		return true;
	return me->woke == load_relaxed(&me->rt->watch.now) &&
	       filch_now() - load_relaxed(&w->slept) > LONG_SLEEP;
}

/* Is there a CPU for one more worker, which is bound to none? A hint. */
static bool may_be_apart(struct filch *rt)
{
	return !(rt->flags & FILCH_PIN) &&
	       load_seq(&rt->active) < rt->cpus + parking_asleep(&rt->parking);
}

/*
 * Where fewer workers are awake than there are CPUs, one that a worker wakes runs on another CPU.
 * Once it has been claimed it may run, and end, at any time; but not while wakers counts us.
 */
bool wake(struct filch *rt, struct worker *w)
{
	struct worker *me = worker_of(rt);
	uint32_t how;
	bool elsewhere, alone; /* two who change where it may run would undo each other's changes */
	int here;

	if (!asleep(w))
		return false;
	here = me && may_be_apart(rt) ? sched_getcpu() : -1;
	alone = !add_seq(&w->wakers, 1u);
	how = park_claim(&rt->parking, &w->park);
	elsewhere = alone && how != AWAKE && here >= 0 && would_come_here(me, w, here) &&
	            cpus_forbid(w->id, here);
	if (how != AWAKE)
		rouse(w, how);
	if (elsewhere)
		cpus_allow(w->id, here);
	add_seq(&w->wakers, -1u);
	return how != AWAKE;
}

/*
 * A thread outside keeps to one worker and, unless it is occupied, to one of its ports, so that what
 * it submits stays in order and producers do not collide in one place.
 */
static unsigned thread_number(void)
{
	static unsigned threads;
	static _Thread_local unsigned number __attribute__((tls_model("initial-exec")));

	if (!number)
		number = 1 + add_relaxed(&threads, 1); /* relaxed: only to tell threads apart */
	return number;
}

/*
 * Which of them does not matter, also if it is leaving, but its record must be seen. None when rt
 * has ended.
 */
static unsigned hosts(const struct filch *rt)
{
	unsigned n = load_seq(&rt->active);

	return n ? n : 1;
}

struct worker *host_of_thread(struct filch *rt)
{
	return rt->worker[thread_number() % hosts(rt)];
}

/*
 * A thread outside begins with the worker that it leaves things with, which then has no need to look
 * for them at all the others'.
 */
void wake_some(struct filch *rt)
{
	struct worker *w = worker_here();
	unsigned n = load_seq(&rt->known);
	unsigned start = w && w->rt == rt ? w->index + 1 : host_of_thread(rt)->index;

	for (unsigned i = 0; i < n; i++) {
		if (!wake(rt, rt->worker[(start + i) % n]))
			continue;
		if (w)
			count_up(&w->stats.wakes); /* relaxed inside: a statistic */
		return;
	}
}

void wake_all(struct filch *rt)
{
	unsigned n = load_seq(&rt->known);

	for (unsigned i = 0; i < n; i++)
		wake(rt, rt->worker[i]);
}

struct port *enter_port(struct filch *rt)
{
	struct worker *host = host_of_thread(rt);
	unsigned first = thread_number() / hosts(rt);

	for (unsigned i = 0; i < PORTS; i++) {
		struct port *p = &host->port[(first + i) % PORTS];

		if (port_enter(p))
			return p;
	}
	return NULL;
}

void ready_here(struct worker *w, struct filch_slot_ *item)
{
	bool queued = deque_push_one(&w->ready, item) == 0;

	if (!queued)
		inbox_put(&w->inbox, item);
	if (!queued || !w->gathers)
		wake_one(w->rt);
}

void ready_from_outside(struct filch *rt, struct filch_slot_ *item)
{
	inbox_put(&host_of_thread(rt)->inbox, item);
	wake_one(rt);
}

void ready_all(struct filch *rt, void **items, int64_t n)
{
	struct worker *w = worker_of(rt);

	if (w)
		ready_many(w, items, n);
	for (int64_t i = 0; !w && i < n; i++)
		inbox_put(&host_of_thread(rt)->inbox, items[i]);
	if (n)
		wake_one(rt);
}

void ready_and_leave(struct filch *rt, struct filch_slot_ *item)
{
	add_seq(&rt->visitors, 1);
	ready_from_outside(rt, item);
	add_seq(&rt->visitors, -(uint64_t)1);
}

void ready_anywhere(struct filch *rt, struct filch_slot_ *item)
{
	struct worker *w = worker_of(rt);

	if (w)
		ready_here(w, item);
	else
		ready_and_leave(rt, item);
}

void make_ready(struct stack *s)
{
	ready_anywhere(s->rt, &s->item);
}
