/* SPDX-License-Identifier: MIT */
/*
 * A child of fork(2) has a copy of the memory and one thread, the one that forked. Of filch it has
 * queues without workers, locks that nobody will release, and pollers that it shares with its
 * parent. So in the child
 *
 *	a runtime of the parent takes no more: submit, run and resize answer -ESHUTDOWN, stop
 *	-EALREADY, X_run runs serially. It is not freed, and nothing in it runs.
 *	the calling task, if it was one, is a plain thread from here on: its waits block. It must
 *	not return from its function, under which lies the loop of a worker that is not there.
 *	nothing is known of any descriptor: each is looked at anew.
 *	a runtime may be started, and works as any.
 *
 * Threads that liburcu knows are gone without having said so, perhaps while they were reading, and
 * what it knows of them lies in stacks that new threads will use. So they are taken off its list of
 * readers, which it has no call for in this flavour: each worker says where its entry is.
 *
 * The gate is closed while the process forks, so that no thread is halfway through making itself
 * known to liburcu, whose lock the child would find taken. It is held for a few instructions else.
 */
#include "atfork.h"

#include <urcu/static/urcu-memb.h>
#include <urcu/urcu-memb.h>

#include "block.h"
#include "descriptor.h"
#include "worker.h"

/* Protects the list of runtimes, and liburcu's list of threads. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct filch *runtimes;

void atfork_add(struct filch *rt)
{
	pthread_mutex_lock(&gate);
	rt->next = runtimes;
	runtimes = rt;
	pthread_mutex_unlock(&gate);
}

void atfork_remove(struct filch *rt)
{
	struct filch **at = &runtimes;

	pthread_mutex_lock(&gate);
	while (*at != rt)
		at = &(*at)->next;
	*at = rt->next;
	pthread_mutex_unlock(&gate);
}

void rcu_begin_worker(struct worker *w)
{
	pthread_mutex_lock(&gate);
	urcu_memb_register_thread();
	w->reader = &URCU_TLS(urcu_memb_reader);
	pthread_mutex_unlock(&gate);
}

void rcu_end_worker(struct worker *w)
{
	pthread_mutex_lock(&gate);
	urcu_memb_unregister_thread();
	w->reader = NULL;
	pthread_mutex_unlock(&gate);
}

static void before(void)
{
	pthread_mutex_lock(&gate);
	urcu_memb_call_rcu_before_fork();
}

static void in_parent(void)
{
	urcu_memb_call_rcu_after_fork_parent();
	pthread_mutex_unlock(&gate);
}

/* All but the one that forked, which is still there. */
static void forget_workers(struct filch *rt)
{
	for (unsigned i = 0; i < rt->known; i++) {
		struct worker *w = rt->worker[i];

		if (w->reader && w != worker_here())
			cds_list_del(&w->reader->node);
		w->reader = NULL;
	}
}

static void in_child(void)
{
	for (; runtimes; runtimes = runtimes->next) {
		forget_workers(runtimes);
		store_seq(&runtimes->stopping, 1u);
	}
	urcu_memb_call_rcu_after_fork_child();
	worker_forget();
	job_forget();
	descriptors_forget_all();
	pthread_mutex_unlock(&gate);
}

static void install(void)
{
	pthread_atfork(before, in_parent, in_child);
}

void atfork_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
