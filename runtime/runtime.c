/* SPDX-License-Identifier: MIT */
/*
 * Starting and stopping. A stop sets stopping; from then on nobody outside gets a task in. The
 * workers go on until the last task has finished: a worker that finds nothing compares what was
 * admitted with what is done, just before it would go to sleep, and when they are equal it ends the
 * runtime.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-memb.h>

#include "cpus.h"
#include "descriptor.h"
#include "overflow.h"
#include "sanitizer.h"
#include "steal.h"

#define KNOWN_FLAGS   (FILCH_PIN | FILCH_EPOLL | FILCH_REPORT_OVERFLOW | FILCH_NO_ATFORK)
#define MIN_STACK     ((size_t)16 << 10)
#define MAX_STACK     ((size_t)1 << 30)
#define DEFAULT_STACK ((size_t)256 << 10)

/*
 * What a thread does to itself; blocking these would make the kernel kill the process without a
 * word.
 */
static const int synchronous[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT };

char filch_retired_, filch_watched_;

static void free_array(struct rcu_head *head)
{
	struct deque_array *old = container_of((void *)head, struct deque_array, for_retire);

	sanitizer_after(&filch_retired_);
	free(old);
}

void retire_array(struct deque_array *old)
{
	struct rcu_head *head = (struct rcu_head *)(void *)old->for_retire;

	_Static_assert(sizeof(*head) <= sizeof(old->for_retire), "for_retire holds an rcu_head");
	/* Relaxed: read after the workers were joined. */
	store_relaxed(&worker_here()->rt->retiring, 1);
	sanitizer_before(&filch_retired_);
	urcu_memb_call_rcu(head, free_array);
}

filch *filch_here(void)
{
	struct worker *w = worker_here();

	return w ? w->rt : NULL;
}

static int check(const struct filch_options *o)
{
	for (size_t i = 0; i < sizeof(o->reserved) / sizeof(o->reserved[0]); i++) {
		if (o->reserved[i])
			return -EINVAL;
	}
	if (o->flags & ~KNOWN_FLAGS || o->workers > MAX_WORKERS)
		return -EINVAL;
	if (o->stack_size && (o->stack_size < MIN_STACK || o->stack_size > MAX_STACK))
		return -EINVAL;
	return 0;
}

/* Forking a process with liburcu's helper thread needs its handlers, once in a process. */
static void install_atfork(void)
{
	pthread_atfork(urcu_memb_call_rcu_before_fork, urcu_memb_call_rcu_after_fork_parent,
	               urcu_memb_call_rcu_after_fork_child);
}

static struct filch *new_runtime(const struct filch_options *o)
{
	unsigned count = o->workers ? o->workers : cpus_usable();
	size_t bytes = (sizeof(struct filch) + count * sizeof(struct worker *) + CACHE_LINE - 1) &
	               ~(size_t)(CACHE_LINE - 1);
	struct filch *rt = aligned_alloc(CACHE_LINE, bytes);

	if (!rt)
		return NULL;
	memset(rt, 0, bytes);
	rt->max_pending = o->max_pending;
	rt->flags = o->flags;
	rt->stack_size = o->stack_size ? o->stack_size : DEFAULT_STACK;
	stacks_init(&rt->stacks, rt->stack_size);
	rt->count = count;
	rt->apart = !(o->flags & FILCH_PIN) && count > 1 && count <= cpus_allowed();
	return rt;
}

static void free_runtime(struct filch *rt)
{
	for (unsigned i = 0; i < rt->count && rt->worker[i]; i++) {
		worker_destroy(rt->worker[i]);
		free(rt->worker[i]);
	}
	if (rt->retiring)
		urcu_memb_barrier();
	stacks_destroy(&rt->stacks);
	node_pool_destroy(&rt->nodes);
	free(rt);
}

static int new_worker(struct filch *rt, unsigned i)
{
	struct worker *w = aligned_alloc(CACHE_LINE, sizeof(*w));

	if (!w)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	rt->worker[i] = w;
	return worker_init(w, rt, i);
}

static void *thread_main(void *worker)
{
	struct worker *w = worker;
	char name[16];

	snprintf(name, sizeof(name), "filch/%u", w->index);
	pthread_setname_np(pthread_self(), name);
	if (w->rt->flags & FILCH_PIN)
		cpus_pin(w->index);
	if (w->rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_begin_thread();
	worker_main(w);
	if (w->rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_end_thread();
	return NULL;
}

/* Wait for the first n workers. */
static void join_workers(struct filch *rt, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pthread_join(rt->worker[i]->id, NULL);
}

/*
 * Workers leave asynchronous signals to the program's own threads, and keep those that say that
 * they did something wrong.
 */
static int start_threads(struct filch *rt)
{
	sigset_t ours, before;
	unsigned started;
	int error = 0;

	sigfillset(&ours);
	for (size_t i = 0; i < sizeof(synchronous) / sizeof(synchronous[0]); i++)
		sigdelset(&ours, synchronous[i]);
	pthread_sigmask(SIG_SETMASK, &ours, &before);
	for (started = 0; started < rt->count && !error; started += !error)
		error = pthread_create(&rt->worker[started]->id, NULL, thread_main,
		                       rt->worker[started]);
	if (!error)
		error = -watch_start(rt);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error) {
		store_seq(&rt->ended, 1);
		wake_all(rt);
		join_workers(rt, started);
	}
	return -error;
}

static int set_up(struct filch *rt)
{
	int error = 0;

	for (unsigned i = 0; i < rt->count && !error; i++)
		error = new_worker(rt, i);
	if (!error && rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_install();
	return error ? error : start_threads(rt);
}

filch *filch_start(const struct filch_options *options)
{
	static const struct filch_options defaults;
	static pthread_once_t atfork = PTHREAD_ONCE_INIT;
	struct filch *rt;
	int error, saved = errno;

	if (!options)
		options = &defaults;
	error = check(options);
	if (error) {
		errno = -error;
		return NULL;
	}
	if (!(options->flags & FILCH_NO_ATFORK))
		pthread_once(&atfork, install_atfork);
	rt = new_runtime(options);
	error = rt ? set_up(rt) : -ENOMEM;
	if (error) {
		if (rt)
			free_runtime(rt);
		errno = -error;
		return NULL;
	}
	errno = saved;
	return rt;
}

static void *finish(void *runtime)
{
	struct filch *rt = runtime;

	join_workers(rt, rt->count);
	watch_stop(rt);
	while (load_seq(&rt->visitors))
		sched_yield();
	descriptors_forget(rt);
	free_runtime(rt);
	return NULL;
}

static void *finish_and_wake(void *waiter)
{
	struct waiter *w = waiter;

	finish(w->value);
	waiter_claim(w, 0);
	waiter_wake(w);
	return NULL;
}

/*
 * A task of another runtime waits while a thread of its own does what blocks; without one the
 * worker has to.
 */
static void finish_elsewhere(struct waiter *w)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, finish_and_wake, w))
		finish_and_wake(w);
	else
		pthread_detach(thread);
}

int filch_stop(filch *rt)
{
	struct waiter *w;
	int saved = errno;

	if (!rt)
		return -EINVAL;
	if (rt == filch_here())
		return -EDEADLK;
	if (exchange_seq(&rt->stopping, 1))
		return -EALREADY;
	wake_all(rt);
	if (!filch_here()) {
		finish(rt);
		errno = saved;
		return 0;
	}
	w = wait_begin(NULL, FILCH_NEVER);
	w->value = rt;
	w->refusal = 0;
	return wait_for(finish_elsewhere, w, FILCH_NEVER);
}
