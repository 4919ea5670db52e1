/* SPDX-License-Identifier: MIT */
/*
 * A child of fork(2) has a copy of the memory and one thread, the one that forked. Of filch it has
 * queues without workers, locks that nobody will release, and pollers that it shares with its
 * parent. So in the child
 *
 *	a runtime of the parent takes no more: submit, run, resize and dump answer -ESHUTDOWN,
 *	stop -EALREADY, X_run runs serially. It is not freed, nothing in it runs, and a cancel
 *	ends no waits: it would wait for those who were in the middle of beginning one.
 *	the calling task, if it was one, is a plain thread from here on: its waits block. It must
 *	not return from its function, under which lies the loop of a worker that is not there.
 *	nothing is known of any descriptor: each is looked at anew.
 *	a runtime may be started, and works as any.
 *
 * The gate is closed while the process forks, so that the child finds a whole list of runtimes; and
 * while somebody goes over that list (cancel.c), so that none of them ends meanwhile.
 */
#include "atfork.h"

#include "block.h"
#include "descriptor.h"
#include "worker.h"

/* Protects the list of runtimes, which each leaves before it is freed. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct filch *runtimes;

void runtimes_add(struct filch *rt)
{
	pthread_mutex_lock(&gate);
	rt->next = runtimes;
	runtimes = rt;
	pthread_mutex_unlock(&gate);
}

void runtimes_remove(struct filch *rt)
{
	struct filch **at = &runtimes;

	pthread_mutex_lock(&gate);
	while (*at != rt)
		at = &(*at)->next;
	*at = rt->next;
	pthread_mutex_unlock(&gate);
}

void runtimes_each(void (*visit)(struct filch *rt))
{
	pthread_mutex_lock(&gate);
	for (struct filch *rt = runtimes; rt; rt = rt->next)
		visit(rt);
	pthread_mutex_unlock(&gate);
}

static void before(void)
{
	pthread_mutex_lock(&gate);
}

static void in_parent(void)
{
	pthread_mutex_unlock(&gate);
}

static void in_child(void)
{
	for (; runtimes; runtimes = runtimes->next) {
		store_seq(&runtimes->stopping, 1u);
		runtimes->orphaned = true;
	}
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
