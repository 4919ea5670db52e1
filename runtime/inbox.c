/* SPDX-License-Identifier: MIT */
/*
 * A list that is pushed by CAS and taken as a whole (R. K. Treiber, "Systems programming: coping
 * with parallelism", IBM RJ 5118, 1986). Taking everything leaves no room for ABA: a push compares
 * the newest item only to link to it, and if that one was taken and has come back meanwhile, it is
 * the newest again.
 *
 * A put is linked when its CAS succeeds. There is no moment in which an item is counted but not
 * reachable, so a producer that is preempted in the middle holds up nobody, and "empty" means
 * empty: that is what the protocol of park.c asks for, and why this is not a queue with an exchange
 * on its tail. The price is a retry when producers collide.
 */
#include "inbox.h"

void inbox_put(struct inbox *in, struct filch_slot_ *item)
{
	/* Relaxed: a first guess for the CAS. */
	struct filch_slot_ *newest = load_relaxed(&in->newest);

	do
		item_set_next(item, newest);
	/* Before the look at who sleeps: see park.c. */
	while (!cas_seq(&in->newest, &newest, item));
}

struct filch_slot_ *inbox_take(struct inbox *in)
{
	struct filch_slot_ *item, *oldest = NULL;

	if (inbox_empty(in))
		return NULL;
	item = exchange_seq(&in->newest, NULL);
	while (item) {
		struct filch_slot_ *next = item_next(item);

		item_set_next(item, oldest);
		oldest = item;
		item = next;
	}
	return oldest;
}
