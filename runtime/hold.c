/* SPDX-License-Identifier: MIT */
/*
 * A task that submits thousands of others would pay a locked instruction for each: the push has to
 * come before the look at who sleeps (park.c). If somebody is about to sleep, or looks for tasks in
 * vain, that is needed at once; otherwise later will do. So after some submits of one task, with
 * nobody hungry, its worker opens a hold: it adds items with plain stores, and queues them together
 * when there are HOLD of them, somebody is hungry (but see below), the item that it runs ends or
 * waits. Should it compute for long instead, whoever finds nothing else takes them out (a raid). The
 * barrier that the owner leaves out, the raider makes it pass: barrier_heavy() returns when every
 * thread of the process has passed one (M. Desnoyers, P. McKenney, A. Stern, M. Dagenais and J.
 * Walpole, "User-level implementations of read-copy update", IEEE TPDS 23(2), 2012, does so in its
 * readers; D. Dice, H. Huang and M. Yang, "Asymmetric Dekker synchronization", 2001).
 *
 *	owner adds			raider, under the lock
 *	A1 item, then n + 1		R1 open = 0
 *	A2 (no barrier) read open:	R2 barrier_heavy()
 *	   not open: find out		R3 read n: takes all up to it, and says so (taken)
 *
 * No item is lost and none is taken twice. The owner passes a barrier within R2. If A1 is before it,
 * R3 sees the item and takes it. If A1 is after it, A2 is too and sees R1. So an item that R3 did not
 * see is one whose A2 finds the hold closed. The other way round R3 may see an item whose A2 finds it
 * closed, too: so the owner takes the lock, behind the raider, and compares n with taken. It opens the
 * hold again only after that, with n = 0. (It may also read open once more, later: what it found open
 * before, the raider has had, and n says so.) A close is the same without R2: it is the owner's, who is
 * in no add.
 *
 * No wake-up is lost. A worker that opens stores open (seq_cst) before it looks at hunger, and with
 * somebody hungry closes it again; a worker that goes to sleep counts itself hungry before it looks
 * at open (W2 and W4 in park.c). So the sleeper finds it open, and raids it, or the owner sees the
 * sleeper. A hold that was raided is closed, and the next item takes the usual way. Who finds the
 * lock taken waits until the hold is closed: then its holder moves the items, and wakes somebody if
 * that is needed. Not so a raider that came late, found it closed, and still has the lock when the
 * owner has opened it again: so being locked is not enough.
 *
 * Somebody who finds as many in the ready queue as a hold has room for is not hungry for these: then
 * it stays open, or is opened, all the same (wanted() in task.c), or with more workers than processors,
 * of whom some always sleep, there would be no hold. They have been woken for the queue, one by the
 * other, and the last that searches looks at what is held too before it stops waking (search.c). But
 * it may look while the newest item is still in its owner's store buffer, or there may never be a
 * last one, where others keep finding work. Therefore the watcher raids as well: with a sleeper, what
 * is held is out of reach for two ticks at most (watch.c).
 *
 * The lock is held across barrier_heavy(), a few microseconds, in which only the owner may have to wait.
 */
#include "hold.h"

#include "barrier.h"

void hold_open(struct hold *h, struct filch_group *group)
{
	/* Relaxed: before open. Pairs with hold_raid(). */
	store_relaxed(&h->group, group);
	store_relaxed(&h->n, 0); /* relaxed: as above */
	h->mine = true;
	store_seq(&h->open, 1);
}

bool hold_lost(struct hold *h)
{
	unlock(&h->word, lock(&h->word)); /* when the raider is done */
	h->mine = false;
	return h->taken == load_relaxed(&h->n); /* relaxed: the owner's own */
}

int64_t hold_close(struct hold *h)
{
	uint64_t word = lock(&h->word);
	int64_t n = -1;

	h->mine = false;
	if (hold_is_open(h)) {
		n = load_relaxed(&h->n); /* relaxed: the owner's own */
		/* Relaxed: who raids looks under the lock. */
		store_relaxed(&h->open, 0);
	}
	unlock(&h->word, word);
	return n;
}

/*
 * The lock, as long as the hold is open. Who has it is about to close it, or found it closed and is
 * about to let go.
 */
static bool enter(struct hold *h)
{
	while (hold_is_open(h)) {
		if (try_lock(&h->word))
			return true;
		sched_yield();
	}
	return false;
}

int64_t hold_raid(struct hold *h, void **items, struct filch_group **group)
{
	int64_t n = -1;

	if (!enter(h))
		return -1;
	if (hold_is_open(h)) {
		store_seq(&h->open, 0);
		while (!barrier_heavy()) /* out of memory: the owner may have seen that it is closed */
			sched_yield();
		/* Acquire: the items before we read them. Pairs with hold_add(). */
		n = load_acquire(&h->n);
		for (int64_t i = 0; i < n; i++)
			items[i] = load_relaxed(&h->item[i]); /* relaxed: n was loaded with acquire */
		*group = load_relaxed(&h->group); /* relaxed: after open was read */
		h->taken = (uint32_t)n;
	}
	unlock(&h->word, 0);
	return n;
}
