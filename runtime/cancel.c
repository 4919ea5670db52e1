/* SPDX-License-Identifier: MIT */
/*
 * Cancelling what waits. The canceller marks the group, or the runtime, and then goes over all
 * stacks of the runtime, for a group of all runtimes, since one may be nested in another's. It ends
 * the waits of those that belong to it. So a wait pays for it with two stores and a look, and the
 * cancel with a visit to every stack.
 *
 * Nothing is missed. A wait announces itself and looks at the mark, the canceller sets the mark and
 * looks at the waits (barrier.h):
 *
 *	a wait begins (wait.c)			a cancel
 *
 *	A1 state = HELD				B1 mark the group, or the runtime
 *	A2 look at the marks: if one is		B2 barrier_heavy()
 *	   set, do not wait			B3 look at the state of each stack's waiter
 *	A3 leave the stack, arm the timer
 *	A4 state = WAITING
 *
 * If A2 does not see the mark, B3 sees at least A1. While it finds HELD it looks again: A3 waits
 * for nobody but holders of locks of a few instructions. Then it finds WAITING, and claims it, or
 * an end that came first. A stack that is made after B3 has gone over all stacks begins its waits
 * after B1 (the lock of the stacks is taken by both; for a runtime that starts, that of their
 * list), and A2 sees it.
 *
 * Whether a wait belongs to the group must be found out by following pointers that lie in the
 * task's memory: its group, that one's parent, the stack that forked it. They stay as they are
 * while the task waits. So the canceller first puts the waiter back to HELD, by CAS: then nobody
 * can end the wait, whoever wants to stands by, and the task cannot go on. A group that the task
 * belongs to, and each one that it is nested in, is still waited for, and lives. If none of them is
 * marked, WAITING is put back; the mark decides, as in A2, since the group that is being cancelled
 * may have been waited for by now, and another one have its address. Nothing is locked, nor waited
 * for, between the two; but for the wait of a function that filch_block() runs for this task, which
 * may be between its own A1 and A4.
 *
 * A claimed waiter takes itself out of its list before its wait returns, as after a deadline
 * (wait.c).
 */
#include <errno.h>

#include "atfork.h"
#include "barrier.h"
#include "descriptor.h"
#include "task.h"

/* The function that a thread runs for a task, which waits for it and is held. */
static void cancel_job(struct job *j)
{
	if (!waiter_hold(&j->waiter))
		return;
	if (can_be_cancelled(&j->waiter))
		waiter_end(&j->waiter, -ECANCELED);
	else
		waiter_let_go(&j->waiter);
}

static void cancel_wait(struct stack *s, void *unused)
{
	struct waiter *w = &s->waiter;

	(void)unused;
	if (!waiter_hold(w))
		return;
	if (task_cancelled(s)) {
		if (can_be_cancelled(w)) {
			waiter_end(w, -ECANCELED);
			return;
		}
		if (w->what == FOR_BLOCK)
			cancel_job(w->value);
	}
	waiter_let_go(w);
}

static void cancel_waits(struct filch *rt)
{
	stacks_each(&rt->stacks, cancel_wait, NULL);
}

void filch_group_cancel(filch_group *g, int error)
{
	int none = 0;

	if (!g || !g->rt_ || !cas_seq(&g->error_, &none, error ? error : -ECANCELED))
		return;
	barrier_heavy();
	runtimes_each(cancel_waits);
}

/* The runtime may end by what is cancelled, but is not freed before we leave it. */
void filch_cancel(filch *rt)
{
	if (!rt)
		return;
	add_seq(&rt->visitors, 1);
	if (!exchange_seq(&rt->cancelled, 1) && !rt->orphaned) {
		barrier_heavy();
		cancel_waits(rt);
		descriptors_cancel(rt);
	}
	add_seq(&rt->visitors, -(uint64_t)1);
}

bool task_cancelled(struct stack *s)
{
	return load_seq(&s->rt->cancelled) || group_cancelled(group_of(s));
}

bool filch_cancelled(void)
{
	struct stack *s = task_here();

	return s && task_cancelled(s);
}
