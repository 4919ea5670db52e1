/* SPDX-License-Identifier: MIT */
/*
 * Promise: an item that was made available is taken by a worker that is awake, or a sleeper is
 * woken for it. Idle workers sleep; a burst wakes one worker at a time, and each that finds work
 * with more behind it wakes the next.
 *
 * The protocol. All accesses named here are seq_cst, so they have one order.
 *
 *	who makes work available		a worker that finds nothing
 *
 *	P1 make the item reachable		W1 hunger: one more searching, look everywhere
 *	P2 read hunger:				W2 hunger: one from searching to asleep
 *	   nobody asleep, or			W3 state = PARKED
 *	   somebody searching: done		W4 look everywhere again
 *	P3 find a state PARKED, claim it	W5 sleep while state == PARKED
 *	   by CAS, wake it
 *
 * No wake-up is lost. Suppose an item stays reachable while every worker sleeps for good. Take the
 * last worker to pass W4: it did not see the item, so its W4 came before P1, and its W2 and W3 too.
 * Then P2 read a hunger in which this worker sleeps. If it also read a searching worker, that one
 * passed its own W2 after P2, hence its W4 after P1: it saw the item. If it read none, P3 looked at
 * every state. Each was PARKED, but for those that others claimed meanwhile, and a claimed worker
 * searches again from W1 before it sleeps. So somebody was claimed, and it looks after P1.
 *
 * The argument needs an item to stay where it can be seen. Whoever moves items from one queue to
 * another takes them out of sight for a moment, in which somebody may pass W4: so it does P2 and P3
 * again afterwards (collect() in steal.c).
 *
 * A single item needs no P2 if a worker has brought it in between two items and takes it next
 * (gather() in worker.c), or as its present one ends (ready_next()): nobody else has to see it, and
 * the worker does not sleep before that. It does P2 once all is in, if there is more than the one, and than
 * it will have done before somebody woken could begin; where an item turns out to be long, the watcher
 * does P2 instead.
 *
 * The claim moves the claimed worker from asleep to searching on its behalf, before that worker
 * goes on (state is CLAIMED meanwhile: were the count moved after, the worker could end its search
 * first and the count would be wrong), so that a burst of submits wakes once and not once for each
 * submit until the sleeper has come up. Who ends its search by finding something, and was the last
 * that searched, looks for more work once and wakes the next (search.c): that closes the gap in
 * which P2 skipped the wake because of a searcher that was about to leave with another item. Its
 * search ends (seq_cst) before that look, so either the look sees the item, or P2 sees that nobody
 * searches. It need not look if nobody sleeps by then: whoever goes to sleep later passes W2 after
 * that, and so W4 after P1.
 *
 * A fork that its owner has published, and will come to by itself, wakes nobody where a sleeper would
 * take a CPU from who has it; crowd.c says where, and what sees to it that it does not wait for long
 * where that was wrong.
 *
 * A worker without memory for a stack is neither asleep nor searching while it rests (rest() in
 * worker.c), for some milliseconds: it could begin nothing that it were woken for.
 *
 * Spurious returns from the futex do no harm: the state decides. The counters cannot overflow: each
 * worker is in at most one of the two halves.
 */
#include "park.h"

#include <sched.h>

#include "futex.h"

void parking_search(struct parking *p)
{
	add_seq(&p->hunger, SEARCHING_ONE);
}

bool parking_found(struct parking *p)
{
	return (uint32_t)add_seq(&p->hunger, -SEARCHING_ONE) == 1;
}

void park_announce(struct parking *p, struct park *me, uint32_t how)
{
	add_seq(&p->hunger, PARKED_ONE - SEARCHING_ONE);
	store_seq(&me->state, how);
}

void park_sleep(struct park *me, int64_t deadline)
{
	futex_wait(&me->state, PARKED, deadline);
}

uint32_t park_claim(struct parking *p, struct park *other)
{
	uint32_t how = load_seq(&other->state);

	if (how != PARKED && how != POLLING)
		return AWAKE;
	if (!cas_seq(&other->state, &how, CLAIMED))
		return AWAKE;
	add_seq(&p->hunger, SEARCHING_ONE - PARKED_ONE);
	/* Release: the count before the claimed worker goes on. Pairs with park_leave(). */
	store_release(&other->state, AWAKE);
	return how;
}

bool park_leave(struct parking *p, struct park *me)
{
	if (park_claim(p, me) != AWAKE)
		return false;
	/*
	 * Acquire: the claimer's count before ours. Pairs with park_claim(), which is two
	 * instructions from done.
	 */
	while (load_acquire(&me->state) != AWAKE)
		sched_yield();
	return true;
}

void park_wake(struct park *other)
{
	futex_wake(&other->state, 1);
}
