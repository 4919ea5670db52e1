/* SPDX-License-Identifier: MIT */
/*
 * Starting and stopping. A stop sets stopping; from then on nobody outside gets a task in. The
 * workers go on until the last task has finished: a worker that finds nothing compares what was
 * admitted with what is done, just before it would go to sleep, and when they are equal it ends the
 * runtime.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "atfork.h"
#include "barrier.h"
#include "cpus.h"
#include "descriptor.h"
#include "overflow.h"
#include "sanitizer.h"
#include "steal.h"

#define KNOWN_FLAGS   (FILCH_PIN | FILCH_EPOLL | FILCH_REPORT_OVERFLOW | FILCH_NO_ATFORK)
#define MIN_STACK     ((size_t)16 << 10)
#define MAX_STACK     ((size_t)1 << 30)
#define DEFAULT_BLOCKING 64 /* threads */
#define DEFAULT_STACK ((size_t)256 << 10)

char filch_watched_;

filch *filch_here(void)
{
	struct stack *s = task_here();

	return s ? s->rt : NULL;
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

static void find_places(struct filch *rt)
{
	int cpu[MAX_WORKERS];

	rt->places = cpus_list(cpu, MAX_WORKERS);
	places_find("/sys/devices/system", cpu, rt->places, rt->place);
	for (unsigned i = 1; i < rt->places; i++) {
		unsigned apart = places_apart(&rt->place[0], &rt->place[i]);

		if (apart > rt->widest)
			rt->widest = apart;
	}
}

static struct filch *new_runtime(const struct filch_options *o)
{
	struct filch *rt = aligned_alloc(CACHE_LINE, sizeof(*rt));

	if (!rt)
		return NULL;
	memset(rt, 0, sizeof(*rt));
	rt->max_pending = o->max_pending;
	rt->flags = o->flags;
	rt->blocking.most = o->max_blocking ? o->max_blocking : DEFAULT_BLOCKING;
	rt->pollers = o->flags & FILCH_EPOLL ? NULL : poller_uring();
	if (!rt->pollers)
		rt->pollers = &poller_epoll;
	rt->stack_size = o->stack_size ? o->stack_size : DEFAULT_STACK;
	stacks_init(&rt->stacks, rt->stack_size);
	rt->cpus = cpus_allowed();
	if (!rt->cpus)
		rt->cpus = MAX_WORKERS; /* unknown */
	rt->long_forks = LONG_FORKS; /* until somebody knows */
	if (o->flags & FILCH_PIN)
		find_places(rt);
	rt->holds = barrier_works_;
	return rt;
}

static void free_runtime(struct filch *rt)
{
	for (unsigned i = 0; i < rt->known; i++) {
		worker_destroy(rt->worker[i]);
		free(rt->worker[i]);
	}
	stacks_destroy(&rt->stacks);
	node_pool_destroy(&rt->nodes);
	when_pool_destroy(&rt->whens);
	free(rt);
}

/*
 * The watcher first: its CPUs are what a worker's are taken from. Its first task is to look after
 * nobody.
 */
static int set_up(struct filch *rt, unsigned workers)
{
	int error;

	if (rt->flags & FILCH_REPORT_OVERFLOW)
		overflow_install();
	error = watch_start(rt);
	if (error)
		return error;
	error = workers_set(rt, workers);
	if (!error)
		return 0;
	runtime_end(rt);
	workers_join(rt);
	watch_stop(rt);
	return error;
}

static unsigned default_workers(void)
{
	unsigned n = cpus_usable();

	return n < MAX_WORKERS ? n : MAX_WORKERS;
}

filch *filch_start(const struct filch_options *options)
{
	static const struct filch_options defaults;
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
		atfork_install();
	barrier_prepare();
	rt = new_runtime(options);
	error = rt ? set_up(rt, options->workers ? options->workers : default_workers()) : -ENOMEM;
	if (error) {
		if (rt)
			free_runtime(rt);
		errno = -error;
		return NULL;
	}
	runtimes_add(rt);
	errno = saved;
	return rt;
}

static void *finish(void *runtime)
{
	struct filch *rt = runtime;

	workers_join(rt);
	watch_stop(rt);
	block_stop(&rt->blocking);
	while (load_seq(&rt->visitors))
		sched_yield();
	descriptors_forget(rt, NULL);
	runtimes_remove(rt);
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
	descriptors_cancel(rt);
	wake_all(rt);
	if (!filch_here()) {
		finish(rt);
		errno = saved;
		return 0;
	}
	w = wait_begin(NULL, FOR_STOP, FILCH_NEVER);
	w->value = rt;
	w->refusal = 0;
	return wait_for(finish_elsewhere, w, FILCH_NEVER);
}
