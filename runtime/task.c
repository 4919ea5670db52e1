/* SPDX-License-Identifier: MIT */
#include "task.h"

#include <errno.h>

/* What a task's slot holds. */
struct __attribute__((may_alias)) task {
	filch_fn *fn;
	void *arg;
	struct filch_group *group; /* may be NULL */
};

/* And what one on the stack of filch_run holds. */
struct __attribute__((may_alias)) awaited {
	struct task task; /* its group is that of who waits, if a task of rt: it is not counted there */
	struct waiter *waiter;
};

static struct task *task_in(struct filch_slot_ *slot)
{
	return (struct task *)(void *)slot->data;
}

static struct awaited *awaited_in(struct filch_slot_ *slot)
{
	return (struct awaited *)(void *)slot->data;
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

static void give_place(struct filch *rt)
{
	if (rt->max_pending)
		add_seq(&rt->pending, -(uint64_t)1);
}

/*
 * To the caller; a thread that runs a function for a task of rt (block.c) is served like the task.
 */
static bool closed(struct filch *rt)
{
	return load_seq(&rt->stopping) && filch_here() != rt;
}

static int no_place(struct filch *rt)
{
	return closed(rt) ? -ESHUTDOWN : -EAGAIN;
}

/*
 * Count in a task from outside, or refuse it. A thread outside counts first and looks at stopping
 * after, both seq_cst, as filch_stop() sets stopping before anybody compares the counts: either we
 * see it, or the task is seen. Entering a port is such a count.
 */
static int admit(struct filch *rt)
{
	add_seq(&rt->foreign_admitted, 1);
	return closed(rt) ? -ESHUTDOWN : 0;
}

/* Count out what was counted in. If rt is stopping somebody must compare the counts again. */
static void refuse(struct filch *rt)
{
	add_seq(&rt->refused, 1);
	wake_one(rt);
}

int task_count_in(struct filch *rt, struct worker *in)
{
	int error;

	if (in) {
		/* Release: pairs with the sums in runtime_quiet(). */
		store_release(&in->admitted, in->admitted + 1);
		return 0;
	}
	error = admit(rt);
	if (error)
		refuse(rt);
	return error;
}

void task_take_back(struct filch *rt)
{
	refuse(rt);
}

static void run_node(struct filch_slot_ *slot)
{
	struct task t = *task_in(slot);
	struct worker *w = worker_here();

	task_begin(w, t.fn, t.group);
	node_give(&w->nodes, &w->rt->nodes, slot);
	t.fn(t.arg);
	w = worker_here();
	give_place(w->rt);
	task_end(w, t.group);
}

static void run_awaited(struct filch_slot_ *slot)
{
	struct awaited a = *awaited_in(slot);
	struct worker *w = worker_here();

	task_begin(w, a.task.fn, a.task.group);
	a.task.fn(a.task.arg);
	w = worker_here();
	give_place(w->rt);
	task_end(w, NULL);
	if (waiter_claim(a.waiter, 0))
		waiter_wake(a.waiter);
}

static void fill(struct filch_slot_ *node, const struct task *t)
{
	node->run = run_node;
	*task_in(node) = *t;
}

/* ---- what is held back ---- */

#define FEW 8 /* submits of one item that pay for themselves */

int64_t raid_held(struct worker *victim, void **items)
{
	struct filch_group *group;
	int64_t n = hold_raid(&victim->hold, items, &group);

	if (n < 0)
		return 0;
	if (group && n < HOLD)
		group_count_out(group, (uint64_t)(HOLD - n));
	return n;
}

void queue_held(struct worker *w)
{
	struct filch_group *group = w->hold.group;
	int64_t n = hold_close(&w->hold);

	if (n < 0)
		return; /* who raided it has queued them */
	if (group && n < HOLD)
		group_count_out(group, (uint64_t)(HOLD - n));
	ready_all(w->rt, w->hold.item, n);
}

/* Somebody is hungry, and finds less in the ready queue than a hold brings. */
static bool wanted(struct worker *w)
{
	return parking_hungry(&w->rt->parking) && deque_size(&w->ready) < HOLD;
}

/* In this order: see hold.c, and fetch_held() in group.c. */
static bool begin_to_hold(struct worker *w, struct filch_group *group)
{
	struct filch *rt = w->rt;

	if (++w->submits <= FEW || !rt->holds || wanted(w))
		return false;
	if (group && !group_reserve(group))
		return false;
	hold_open(&w->hold, group);
	if (!wanted(w) && !(group && group_awaited(group)))
		return true;
	queue_held(w);
	return false;
}

/* Is there a hold for the next item of this group? */
static bool can_hold(struct worker *w, struct filch_group *group)
{
	if (w->hold.mine && !hold_takes(&w->hold, group))
		queue_held(w);
	return w->hold.mine || begin_to_hold(w, group);
}

static void queue_one(struct worker *w, struct filch_slot_ *node, struct filch_group *group)
{
	if (group)
		group_count_in(group, w);
	ready_here(w, node);
}

/* The hold was closed behind the node, or is to be; or somebody is hungry, but not for this. */
static __attribute__((noinline)) int after_hold(struct worker *w, struct filch_slot_ *node,
                                                struct filch_group *group)
{
	if (!hold_is_open(&w->hold) && !hold_lost(&w->hold))
		queue_one(w, node, group);
	else if (wanted(w))
		let_go(w);
	return 0;
}

static inline int hold_back(struct worker *w, struct filch_slot_ *node, struct filch_group *group)
{
	bool held = hold_add(&w->hold, node) && !parking_hungry(&w->rt->parking);

	return held ? 0 : after_hold(w, node, group);
}

/* ---- submitting ---- */

static void begin(struct worker *w, struct filch_slot_ *node, const struct task *t)
{
	fill(node, t);
	/* Release: pairs with the sums in runtime_quiet(). */
	store_release(&w->admitted, w->admitted + 1);
}

static int submit_here(struct worker *w, const struct task *t)
{
	struct filch_slot_ *node = node_take(&w->nodes, &w->rt->nodes);

	if (!node)
		return -ENOMEM;
	begin(w, node, t);
	if (can_hold(w, t->group))
		return hold_back(w, node, t->group);
	queue_one(w, node, t->group);
	return 0;
}

/* All ports are occupied. */
static int submit_alone(struct filch *rt, const struct task *t)
{
	struct filch_slot_ *node;
	int error = admit(rt);

	if (error)
		return error;
	node = node_take_alone(&rt->nodes);
	if (!node)
		return -ENOMEM;
	fill(node, t);
	ready_from_outside(rt, node);
	return 0;
}

static int submit_in(struct port *p, struct filch *rt, const struct task *t)
{
	struct filch_slot_ *node;

	if (closed(rt))
		return -ESHUTDOWN;
	node = node_take(&p->nodes, &rt->nodes);
	if (!node)
		return -ENOMEM;
	fill(node, t);
	if (deque_push_one(&p->arrived, node))
		inbox_put(&host_of_thread(rt)->inbox, node);
	return 0;
}

static int submit_outside(struct filch *rt, const struct task *t)
{
	struct port *p;
	int error;

	if (t->group)
		group_count_in(t->group, NULL);
	p = enter_port(rt);
	if (!p) {
		error = submit_alone(rt, t);
	} else {
		error = submit_in(p, rt, t);
		port_leave(p);
		wake_one(rt);
	}
	if (!error)
		return 0;
	refuse(rt);
	if (t->group)
		group_count_out(t->group, 1);
	return error;
}

static __attribute__((noinline)) int submit_any(struct filch *rt, struct worker *in, filch_fn *fn,
                                                void *arg, struct filch_group *group)
{
	struct task t = { fn, arg, group };
	int error;

	if (rt->max_pending && !take_place(rt))
		return no_place(rt);
	error = in ? submit_here(in, &t) : submit_outside(rt, &t);
	if (error)
		give_place(rt);
	return error;
}

/*
 * First the common case of a task that submits many, with no call but as the last thing, so that it
 * saves no registers.
 */
int task_submit(struct filch *rt, struct worker *in, filch_fn *fn, void *arg,
                struct filch_group *group)
{
	struct filch_slot_ *node;

	if (!in || !hold_takes(&in->hold, group) || !node_at_hand(&in->nodes) || rt->max_pending)
		return submit_any(rt, in, fn, arg, group);
	node = node_next(&in->nodes);
	begin(in, node, &(struct task){ fn, arg, group });
	return hold_back(in, node, group);
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
	if (!rt || !fn)
		return -EINVAL;
	if (rt != filch_here())
		return task_run(rt, fn, arg);
	fn(arg);
	return 0;
}

int task_run(struct filch *rt, filch_fn *fn, void *arg)
{
	struct stack *s = task_here(); /* of rt: for it filch_block() runs the caller */
	struct filch_slot_ slot;
	struct waiter thread, *w;
	int error;

	if (rt->max_pending && !take_place(rt))
		return no_place(rt);
	error = admit(rt);
	if (error) {
		refuse(rt);
		give_place(rt);
		return error;
	}
	w = wait_begin(&thread, FOR_RUN, FILCH_NEVER);
	slot.run = run_awaited;
	slot.state = rt;
	*awaited_in(&slot) = (struct awaited){ { fn, arg, s && s->rt == rt ? group_of(s) : NULL }, w };
	w->value = &slot;
	/* Forks that could not be published do not depend on this task, which must run now. */
	w->refusal = 0;
	return wait_for(submit_waiter, w, FILCH_NEVER);
}
