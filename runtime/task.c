/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <errno.h>

/* What a task's slot holds. */
struct __attribute__((may_alias)) task {
	filch_fn *fn;
	void *arg;
	struct filch_group *group;
	/* Of filch_run, whose stack the slot lies on; NULL: the slot is a node. */
	struct waiter *waiter;
};

static struct task *task_in(struct filch_slot_ *slot)
{
	return (struct task *)(void *)slot->data;
}

/*
 * From the worker in hand if there is one, otherwise from what is kept for the threads of an inbox.
 */
static struct filch_slot_ *new_node(struct filch *rt, struct worker *in)
{
	struct filch_slot_ *node;
	struct worker *host;

	if (in)
		return node_take(&in->nodes, &rt->nodes);
	host = host_of_thread(rt);
	if (!try_lock(&host->outside_word))
		return node_take_one(&rt->nodes);
	node = node_take(&host->outside, &rt->nodes);
	unlock(&host->outside_word, 0);
	return node;
}

/* Count a task out: it has run on this worker, or (NULL) it was refused after all. */
static void count_out(struct filch *rt, struct worker *w)
{
	if (rt->max_pending)
		add_seq(&rt->pending, -(uint64_t)1);
	if (w) {
		/*
		 * Release: what the task admitted before its end. Pairs with the sums in
		 * runtime_quiet().
		 */
		store_release(&w->done, w->done + 1);
		return;
	}
	add_seq(&rt->refused, 1);
	wake_one(rt); /* if it is stopping, somebody must compare the counts again */
}

/* One of max_pending. By CAS, so that what is refused is at no moment counted. */
static bool take_place(struct filch *rt)
{
	uint64_t pending = load_seq(&rt->pending);

	do {
		if (pending >= rt->max_pending)
			return false;
	} while (!cas_seq(&rt->pending, &pending, pending + 1));
	return true;
}

/*
 * Count a task in. A thread outside counts first and looks at stopping after, both seq_cst, as
 * filch_stop() sets stopping before anybody compares the counts: either we see it, or the task is
 * seen.
 */
static int admit(struct filch *rt, struct worker *in)
{
	if (rt->max_pending && !take_place(rt))
		return -EAGAIN;
	if (in) {
		/* Release: pairs with the sums in runtime_quiet(). */
		store_release(&in->admitted, in->admitted + 1);
		return 0;
	}
	add_seq(&rt->foreign_admitted, 1);
	if (!load_seq(&rt->stopping))
		return 0;
	count_out(rt, NULL);
	return -ESHUTDOWN;
}

static void run_task(struct filch_slot_ *slot)
{
	struct task t = *task_in(slot);
	struct worker *w = worker_here();

	if (w->group != t.group)
		group_settle(w);
	w->current->task = t.fn;
	w->current->group = t.group;
	w->current->origin = NULL;
	if (!t.waiter)
		node_give(&w->nodes, &w->rt->nodes, slot);
	t.fn(t.arg);
	w = worker_here();
	w->current->group = NULL;
	count_out(w->rt, w);
	count_up(&w->stats.tasks); /* relaxed inside: a statistic */
	if (t.group)
		group_done(w, t.group);
	if (t.waiter && waiter_claim(t.waiter, 0))
		waiter_wake(t.waiter);
}

int task_submit(struct filch *rt, struct worker *in, filch_fn *fn, void *arg,
                struct filch_group *group)
{
	struct filch_slot_ *node;
	int error = admit(rt, in);

	if (error)
		return error;
	node = new_node(rt, in);
	if (!node) {
		count_out(rt, NULL);
		return -ENOMEM;
	}
	node->run = run_task;
	*task_in(node) = (struct task){ fn, arg, group, NULL };
	if (in)
		ready_here(in, node);
	else
		ready_from_outside(rt, node);
	return 0;
}

int filch_submit(filch *rt, filch_fn *fn, void *arg)
{
	return rt && fn ? task_submit(rt, worker_of(rt), fn, arg, NULL) : -EINVAL;
}

static void submit_waiter(struct waiter *w)
{
	struct filch_slot_ *slot = w->value;

	ready_and_leave(slot->state, slot);
}

int filch_run(filch *rt, filch_fn *fn, void *arg)
{
	struct filch_slot_ slot;
	struct waiter thread, *w;
	int error;

	if (!rt || !fn)
		return -EINVAL;
	if (rt == filch_here()) {
		fn(arg);
		return 0;
	}
	error = admit(rt, NULL);
	if (error)
		return error;
	w = wait_begin(&thread, FILCH_NEVER);
	slot.run = run_task;
	slot.state = rt;
	*task_in(&slot) = (struct task){ fn, arg, NULL, w };
	w->value = &slot;
	/* Forks that could not be published do not depend on this task, which must run now. */
	w->refusal = 0;
	return wait_for(submit_waiter, w, FILCH_NEVER);
}
