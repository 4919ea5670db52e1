/* SPDX-License-Identifier: MIT */
/* What FILCH_DEBUG traps: forks and joins that do not match. */
#ifndef FILCH_DEBUG
#define FILCH_DEBUG
#endif
#include "../support.h"

#include <signal.h>
#include <sys/wait.h>

TestSuite(misuse, .timeout = WATCHDOG);

FILCH_TASK(long, one, frame, long, n)
{
	return n;
}

FILCH_TASK(long, other, frame, long, n)
{
	return n;
}

FILCH_TASK(long, matched, frame, long, n)
{
	one_fork(&frame, n);
	other_fork(&frame, n);
	return other_join(&frame) + one_join(&frame);
}

FILCH_TASK(long, unjoined, frame, long, n)
{
	one_fork(&frame, n);
	return n;
}

FILCH_TASK(long, joined_by_caller, frame, long, n)
{
	one_fork(&frame, n);
	unjoined(frame, n);
	return one_join(&frame);
}

FILCH_TASK(long, joined_as_other, frame, long, n)
{
	one_fork(&frame, n);
	return other_join(&frame);
}

/* Does a call end its process, which is one of its own? */
static bool traps(long (*run)(filch *rt))
{
	pid_t child = fork();
	int status = 0;

	CHECK(child >= 0);
	if (!child)
		_exit(run(NULL) == 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

static long run_matched(filch *rt)
{
	return matched_run(rt, 1);
}

static long run_unjoined(filch *rt)
{
	return unjoined_run(rt, 1);
}

static long run_joined_by_caller(filch *rt)
{
	return joined_by_caller_run(rt, 1);
}

static long run_joined_as_other(filch *rt)
{
	return joined_as_other_run(rt, 1);
}

Test(misuse, a_fork_that_is_not_joined_by_its_task_traps)
{
	CHECK(!traps(run_matched));
	CHECK(traps(run_unjoined));
	CHECK(traps(run_joined_by_caller));
}

Test(misuse, a_join_as_another_task_traps)
{
	CHECK(traps(run_joined_as_other));
}
