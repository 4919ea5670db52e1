/* SPDX-License-Identifier: MIT */
/* A process that forks, in a thread and in a task, while its runtime is at work; and one that just exits. */
#include "../support.h"

#include <sys/wait.h>

TestSuite(process, .timeout = WATCHDOG);

FILCH_TASK(long, fib, frame, long, n)
{
	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	long right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

static void count(void *n)
{
	add(n, 1);
}

static void ended_with(pid_t child, int code)
{
	int status;

	CHECK(child > 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), code);
}

/* ---- what a child can do ---- */

static void just_exit(filch *parents)
{
	(void)parents;
	_exit(7);
}

static __attribute__((unused)) void exit_with_handlers(filch *parents)
{
	(void)parents;
	exit(7);
}

static void exec_shell(filch *parents)
{
	(void)parents;
	execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
}

/* Enough tasks at once that queues outgrow their arrays, which must not wait for the parent's readers. */
static __attribute__((unused)) void use_a_new_runtime(filch *parents)
{
	filch *rt = start();
	long n = 0;

	(void)parents;
	for (int i = 0; i < 10000; i++)
		CHECK_EQ(filch_submit(rt, count, &n), 0);
	CHECK_EQ(fib_run(rt, 15), 610);
	stop(rt);
	CHECK_EQ(n, 10000);
	_exit(7);
}

static void ask_the_parents_runtime(filch *parents)
{
	long n = 0;

	CHECK(!filch_here());
	CHECK_EQ(filch_worker(), -1);
	CHECK_EQ(filch_submit(parents, count, &n), -ESHUTDOWN);
	CHECK_EQ(filch_run(parents, count, &n), -ESHUTDOWN);
	CHECK_EQ(filch_resize(parents, 1), -ESHUTDOWN);
	CHECK_EQ(fib_run(parents, 15), 610); /* serially */
	CHECK_EQ(filch_dump(parents, 2), -ESHUTDOWN);
	filch_cancel(parents);
	CHECK_EQ(filch_stop(parents), -EALREADY);
	CHECK_EQ(n, 0);
	_exit(7);
}

static int shared[2]; /* a pipe that a task of the parent waits on */

static __attribute__((unused)) void use_descriptors(filch *parents)
{
	int fd[2];
	char c;

	(void)parents;
	CHECK_EQ(pipe(fd), 0);
	CHECK_EQ(filch_write(fd[1], "x", 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(fd[0], &c, 1, FILCH_NEVER), 1);
	CHECK_EQ(filch_read(fd[0], &c, 1, filch_after(MS)), -ETIMEDOUT);
	CHECK_EQ(filch_close(shared[0]), 0); /* the parent has its own */
	sleep_ms(1);
	_exit(7);
}

/* ---- who forks ---- */

struct forker {
	filch *rt;
	void (*child)(filch *parents);
};

static void fork_one(void *forker)
{
	struct forker *f = forker;
	pid_t child = fork();

	if (!child) {
		f->child(f->rt);
		_exit(1);
	}
	ended_with(child, 7);
}

static void read_shared(void *unused)
{
	char c;

	(void)unused;
	CHECK_EQ(filch_read(shared[0], &c, 1, FILCH_NEVER), 1);
}

struct load {
	filch *rt;
	long leave;
};

static void *keep_busy(void *load)
{
	struct load *l = load;
	long n = 0, submitted = 0;

	while (!get(&l->leave)) {
		CHECK_EQ(fib_run(l->rt, 15), 610);
		for (int i = 0; i < 1000; i++, submitted++)
			CHECK_EQ(filch_submit(l->rt, count, &n), 0);
		until(&n, submitted);
	}
	return NULL;
}

static void fork_in_thread_and_task(void (*child)(filch *), long times)
{
	struct load load = { .rt = start() };
	struct forker f = { load.rt, child };
	pthread_t busy = thread(keep_busy, &load);

	CHECK_EQ(pipe(shared), 0);
	CHECK_EQ(filch_submit(load.rt, read_shared, NULL), 0);
	for (long i = 0; i < times; i++) {
		fork_one(&f);
		CHECK_EQ(filch_run(load.rt, fork_one, &f), 0);
	}
	set(&load.leave, 1);
	join_thread(busy);
	CHECK_EQ(write(shared[1], "x", 1), 1);
	stop(load.rt);
}

Test(process, a_child_may_exit_at_once)
{
	fork_in_thread_and_task(just_exit, rounds(1000));
}

Test(process, a_child_may_exec)
{
	fork_in_thread_and_task(exec_shell, rounds(1000));
}

/* The sanitizers' own allocators may be locked in a child, and their threads are not gone. */
#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
Test(process, a_childs_new_runtime_works)
{
	fork_in_thread_and_task(use_a_new_runtime, rounds(1000));
}

Test(process, a_child_may_exit_with_handlers)
{
	fork_in_thread_and_task(exit_with_handlers, rounds(1000));
}

Test(process, a_child_uses_descriptors_anew)
{
	fork_in_thread_and_task(use_descriptors, rounds(1000));
}
#endif

Test(process, the_parents_runtime_refuses_in_a_child)
{
	fork_in_thread_and_task(ask_the_parents_runtime, rounds(1000));
}

/* ---- exit while the runtime is at work ---- */

#ifndef UNDER_ASAN /* what was not freed counts as leaked */

static void exit_in_task(void *unused)
{
	(void)unused;
	exit(7);
}

static void work_for_ever(void *rt)
{
	CHECK_EQ(fib_run(rt, 10), 55);
	filch_submit(rt, work_for_ever, rt);
}

static void exit_at_work(bool in_task)
{
	for (long i = 0; i < rounds(1000); i++) {
		pid_t child = fork();

		if (!child) {
			filch *rt = start();

			CHECK_EQ(filch_submit(rt, work_for_ever, rt), 0);
			usleep((unsigned)i % 10 * 100);
			if (!in_task)
				exit(7);
			CHECK_EQ(filch_submit(rt, exit_in_task, rt), 0);
			pause();
		}
		ended_with(child, 7);
	}
}

Test(process, it_may_exit_without_a_stop)
{
	exit_at_work(false);
}

Test(process, a_task_may_exit)
{
	exit_at_work(true);
}
#endif
