/* SPDX-License-Identifier: MIT */
/*
 * filchd-baseline: the server of filchd, connection for connection the same code, on what people
 * write first. shared-queue: a pool of N blocking threads around one queue under one mutex, an item
 * being a connection that is served to its end. thread: a thread for each connection.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../server/server.h"

/* As much as a task of filch gets. */
#define STACK_SIZE (256 * 1024)

struct job {
	struct job *next;
	filch_fn *fn;
	void *arg;
};

static struct {
	pthread_mutex_t lock; /* protects the rest */
	pthread_cond_t filled;
	struct job *first, **last;
} queue = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, &queue.first };

static struct job *new_job(filch_fn *fn, void *arg)
{
	struct job *job = malloc(sizeof(*job));

	if (job)
		*job = (struct job){ NULL, fn, arg };
	return job;
}

static void run_job(struct job *job)
{
	struct job copy = *job;

	free(job);
	copy.fn(copy.arg);
}

/* ---- a thread for each ---------------------------------------------------------------------- */

static void *run_one(void *job)
{
	run_job(job);
	return NULL;
}

static int start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, run, arg);
	pthread_attr_destroy(&attributes);
	return -error;
}

static int in_thread(void *context, filch_fn *fn, void *arg)
{
	struct job *job = new_job(fn, arg);
	int error;

	(void)context;
	if (!job)
		return -ENOMEM;
	error = start_thread(run_one, job);
	if (error)
		free(job);
	return error;
}

/* ---- a pool around a queue ------------------------------------------------------------------ */

static int into_queue(void *context, filch_fn *fn, void *arg)
{
	struct job *job = new_job(fn, arg);

	(void)context;
	if (!job)
		return -ENOMEM;
	pthread_mutex_lock(&queue.lock);
	*queue.last = job;
	queue.last = &job->next;
	pthread_mutex_unlock(&queue.lock);
	pthread_cond_signal(&queue.filled);
	return 0;
}

static struct job *next_job(void)
{
	struct job *job;

	pthread_mutex_lock(&queue.lock);
	while (!queue.first)
		pthread_cond_wait(&queue.filled, &queue.lock);
	job = queue.first;
	queue.first = job->next;
	if (!queue.first)
		queue.last = &queue.first;
	pthread_mutex_unlock(&queue.lock);
	return job;
}

static void *serve_queue(void *unused)
{
	for (;;)
		run_job(next_job());
	return unused;
}

/* ---- the program ---------------------------------------------------------------------------- */

static unsigned cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

int main(int argc, char **argv)
{
	static struct server server;
	struct executor executor = { .serve = into_queue, .accept = in_thread };
	struct options options;
	unsigned threads;
	char what[64] = "a thread per connection";
	int status;

	(void)argc;
	status = options_parse(&options, "shared-queue|thread", argv);
	if (status >= 0)
		return status;
	status = server_open(&server, &options);
	if (status)
		return status;
	threads = options.workers ? (unsigned)options.workers : cpus();
	if (options.model && strcmp(options.model, "thread") == 0)
		executor.serve = in_thread;
	else
		snprintf(what, sizeof(what), "%u threads, shared queue", threads);
	for (unsigned i = 0; executor.serve == into_queue && i < threads; i++) {
		status = start_thread(serve_queue, NULL);
		if (status) {
			fprintf(stderr, "%s: cannot start a thread: %s\n", options.program,
			        strerror(-status));
			return EXIT_FAILURE;
		}
	}
	executor.what = what;
	/* Threads of the pool wait for ever: they end with the process, and so may main. */
	_exit(server_run(&server, &executor));
}
