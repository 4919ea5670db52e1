/* SPDX-License-Identifier: MIT */
/* Stacks: guards, recycling, migration. */
#include "../support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

TestSuite(stack, .timeout = WATCHDOG);

/* ---- overflow ---- */

static __attribute__((noinline)) long descend(long n)
{
	volatile char frame[1000];

	frame[n & 15] = (char)n;
	return n < 0 ? 0 : descend(n + 1) + frame[n & 15];
}

static void overflow(void *unused)
{
	volatile long result = descend(0);

	(void)unused;
	(void)result;
}

/* A frame of more than a page, touched at its far end alone: the guard must be wide enough. */
static __attribute__((noinline)) long step_over(long n)
{
	volatile char frame[60000];

	frame[n & 15] = (char)n;
	return n < 0 ? 0 : step_over(n + 1) + frame[n & 15];
}

static void overflow_in_large_steps(void *unused)
{
	volatile long result = step_over(0);

	(void)unused;
	(void)result;
}

static void send_itself_a_fault(void *unused)
{
	(void)unused;
	raise(SIGSEGV);
}

/* What a child says on stderr before it dies of a fault. */
static void child_overflows(filch_fn *fn, unsigned flags, char *said, size_t size)
{
	int out[2], status;
	ssize_t n, length = 0;
	pid_t child;

	CHECK_EQ(pipe(out), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		struct filch_options o = { .workers = workers(), .stack_size = 32 << 10, .flags = flags };

		dup2(out[1], STDERR_FILENO);
		filch_run(filch_start(&o), fn, NULL);
		_exit(0);
	}
	close(out[1]);
	while ((n = read(out[0], said + length, size - 1 - (size_t)length)) > 0)
		length += n;
	said[length] = '\0';
	close(out[0]);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status));
#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGSEGV);
#endif
}

Test(stack, an_overflow_hits_the_guard_and_is_reported_to_those_who_asked)
{
	filch_fn *fns[] = { overflow, overflow_in_large_steps };
	char said[2000];

	if (environment("FILCH_TEST_EMULATED", 0))
		cr_skip_test("an emulator has something to say of each crash");
	for (size_t i = 0; i < LENGTH(fns); i++) {
		child_overflows(fns[i], 0, said, sizeof(said));
#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
		CHECK(!said[0]);
		child_overflows(fns[i], FILCH_REPORT_OVERFLOW, said, sizeof(said));
		CHECK(strstr(said, "stack_size"));
		CHECK(strchr(said, '\n') == said + strlen(said) - 1); /* one line */
#endif
	}
}

Test(stack, a_fault_that_was_sent_ends_the_process_unreported)
{
	char said[2000];

	if (environment("FILCH_TEST_EMULATED", 0))
		cr_skip_test("an emulator has something to say of each crash");
	child_overflows(send_itself_a_fault, FILCH_REPORT_OVERFLOW, said, sizeof(said));
#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN)
	CHECK(!said[0]);
#endif
}

/* ---- recycling ---- */

static void wait_often(void *unused)
{
	(void)unused;
	for (int i = 0; i < 200; i++)
		filch_yield();
}

Test(stack, stacks_are_used_again)
{
	filch *rt = start();
	struct filch_stats before, after;

	for (int round = 0; round < 20; round++) {
		filch_group g;

		filch_group_init(&g, rt);
		for (int i = 0; i < 50; i++)
			CHECK_EQ(filch_group_submit(&g, wait_often, NULL), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
		CHECK_EQ(filch_stats(rt, -1, round < 10 ? &before : &after), 0);
	}
	CHECK(before.stacks >= 50);
	CHECK(before.stacks <= 50 + 100 * workers());
	CHECK(after.stacks <= before.stacks + 64 * workers());
	CHECK(after.waits >= 20 * 50 * 200 / 2); /* who is alone has nobody to yield to */
	stop(rt);
}

static long asleep;
static filch_sem morning = FILCH_SEM_INIT(0);

static void sleep_till_morning(void *unused)
{
	char kept[100];

	memset(kept, (int)(intptr_t)unused, sizeof(kept));
	add(&asleep, 1);
	CHECK_EQ(filch_sem_wait(&morning, FILCH_NEVER), 0);
	for (size_t i = 0; i < sizeof(kept); i++)
		CHECK_EQ(kept[i], (char)(intptr_t)unused);
}

Test(stack, ten_thousand_tasks_wait_at_once)
{
#ifdef UNDER_TSAN
	const long n = 1000; /* it has room for 8,000 stacks */
#else
	const long n = 10000;
#endif
	filch *rt = start();
	struct filch_stats s;

	for (long i = 0; i < n; i++)
		CHECK_EQ(filch_submit(rt, sleep_till_morning, (void *)i), 0);
	until(&asleep, n);
	CHECK_EQ(filch_stats(rt, -1, &s), 0);
	CHECK_EQ(s.pending, n);
	CHECK((long)s.stacks >= n && (long)s.stacks < n + 200 * (long)workers());
	for (long i = 0; i < n; i++)
		filch_sem_post(&morning);
	stop(rt);
}

/* ---- migration ---- */

static _Thread_local int number = -1; /* of the worker that this thread is */

static void move(void *moves)
{
	for (int i = 0; i < 300; i++) {
		int before = filch_worker();

		number = before;
		errno = before + 1000;
		filch_yield();
		if (filch_worker() != before)
			add(moves, 1);
		CHECK(filch_here());
	}
}

Test(stack, the_worker_is_read_afresh_after_every_wait)
{
	filch *rt = start();
	long moves = 0;

	do {
		filch_group g;

		filch_group_init(&g, rt);
		for (unsigned i = 0; i < 4 * workers(); i++)
			CHECK_EQ(filch_group_submit(&g, move, &moves), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	} while (workers() > 1 && moves < 10);
	stop(rt);
}
