/* SPDX-License-Identifier: MIT */
/*
 * The one list of waiters that every blocking thing uses.
 *
 * A blocking object is a word and a list. The word's bit 0 is a lock (lock.h), bit 1 says that
 * somebody waits, and the rest is the object's own: a count, a flag. What can go on without the
 * list changes the word by CAS, from an unlocked value to another; while the word is locked, nobody
 * else changes it.
 */
#ifndef WAIT_H
#define WAIT_H

#include <limits.h>

#include "lock.h"
#include "waiter.h"

#define WAITERS   ((uint64_t)2) /* the list is not empty */
#define VALUE_ONE ((uint64_t)1 << 8)

/*
 * Prepare a wait, before anything is locked: the running task's own waiter, or thread's. The task's
 * private forks are published, since the wait may depend on them.
 */
struct waiter *wait_begin(struct waiter *thread, int what, int64_t deadline);

/*
 * Announce it: 0, or why it must not begin, -ECANCELED first of all. From here to the wait nothing
 * may be waited for (cancel.c). The calls below do it, but for wait_in_then().
 */
int wait_announce(struct waiter *w);

/*
 * Wait in a list whose word the caller has locked; the word is unlocked, with this value, once the
 * caller has left its stack. Returns the result of whoever woke it, or -ETIMEDOUT, -ECANCELED or
 * -ENOMEM. After those it is in no list any more.
 */
int wait_in(uint64_t *word, uint64_t value, void **list, struct waiter *w, int64_t deadline);

/*
 * The same, once announced; then(arg) is called once the waiter can be found, and the word is
 * unlocked.
 */
int wait_in_then(uint64_t *word, uint64_t value, void **list, struct waiter *w, int64_t deadline,
                 void (*then)(void *), void *arg);

/*
 * Wait for the deadline alone, or without one for a waker that is in no list: publish(w) is called
 * once the stack can be resumed, and sees to it that w is woken.
 */
int wait_for(void (*publish)(struct waiter *), struct waiter *w, int64_t deadline);

/*
 * Take the first that still waits out of a locked list, for the caller to wake; NULL if there is
 * none.
 */
struct waiter *wait_take(void **list, int result);
void waiter_wake(struct waiter *w);

/*
 * The same for all that still wait; those taken are put before chain, and woken together after
 * unlocking.
 */
struct waiter *wait_take_all(void **list, int result, struct waiter *chain);
void waiters_wake(struct waiter *chain);

/*
 * The same for those for whom choose() names a result, and not KEEP; it is called once for each,
 * with the list locked.
 */
#define KEEP INT_MIN
struct waiter *wait_choose(void **list, int (*choose)(const struct waiter *w, const void *arg),
                           const void *arg, struct waiter *chain);

/* Into a locked list, for who has no stack to leave; and out of it, if it is still there. */
void wait_enlist(void **list, struct waiter *w);
void wait_delist(void **list, struct waiter *w);

/* Decide the end of a wait: true for exactly one caller, who then wakes it. */
bool waiter_claim(struct waiter *w, int result);

/*
 * For cancel.c: keep whoever waits where it is, true; or false, since it does not wait. Then end
 * the wait, and wake it, or let it go on.
 */
bool waiter_hold(struct waiter *w);
void waiter_end(struct waiter *w, int result);
void waiter_let_go(struct waiter *w);

static inline bool can_be_cancelled(const struct waiter *w)
{
	return w->what <= FOR_POLL;
}

/* Whoever calls: the same for all calls of one task, or of one thread outside; never NULL. */
void *self_here(void);

#endif
