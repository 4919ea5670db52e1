/* SPDX-License-Identifier: MIT */
/* What waits is told, a line each, whatever goes on meanwhile. */
#include "../support.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

TestSuite(dump, .timeout = WATCHDOG);

/* All of what a dump says. */
static char *dumped(filch *rt)
{
	char name[] = "/tmp/filch-dump-XXXXXX", *text;
	int fd = mkstemp(name);
	off_t n;

	CHECK(fd >= 0);
	CHECK_EQ(unlink(name), 0);
	CHECK_EQ(filch_dump(rt, fd), 0);
	n = lseek(fd, 0, SEEK_END);
	text = calloc(1, (size_t)n + 1);
	CHECK_EQ(pread(fd, text, (size_t)n, 0), n);
	CHECK_EQ(close(fd), 0);
	return text;
}

static long lines(const char *text, const char *with)
{
	long n = 0;

	while ((text = strstr(text, with))) {
		text += strlen(with);
		n++;
	}
	return n;
}

struct things {
	filch *other;
	int pair[2];
	filch_sem sem;
	filch_mutex mutex;
	filch_cond cond;
	filch_chan *ch;
	long begun, stay;
};

static void do_sleep(void *things)
{
	add(&((struct things *)things)->begun, 1);
	CHECK_EQ(filch_sleep_until(filch_after(100000000 * MS)), -ECANCELED);
}

static void do_read(void *things)
{
	struct things *t = things;
	char c;

	add(&t->begun, 1);
	CHECK_EQ(filch_read(t->pair[0], &c, 1, FILCH_NEVER), -ECANCELED);
}

static void do_poll(void *things)
{
	struct things *t = things;

	add(&t->begun, 1);
	CHECK_EQ(filch_poll(t->pair[0], POLLIN, FILCH_NEVER), -ECANCELED);
}

static void do_sem(void *things)
{
	struct things *t = things;

	add(&t->begun, 1);
	CHECK_EQ(filch_sem_wait(&t->sem, FILCH_NEVER), -ECANCELED);
}

static void do_recv(void *things)
{
	struct things *t = things;
	char c;

	add(&t->begun, 1);
	CHECK_EQ(filch_chan_recv(t->ch, &c, FILCH_NEVER), -ECANCELED);
}

static void do_cond(void *things)
{
	struct things *t = things;

	CHECK_EQ(filch_mutex_lock(&t->mutex, FILCH_NEVER), 0);
	add(&t->begun, 1);
	CHECK_EQ(filch_cond_wait(&t->cond, &t->mutex, FILCH_NEVER), -ECANCELED);
	filch_mutex_unlock(&t->mutex);
}

static void stay(void *things)
{
	struct things *t = things;

	while (get(&t->stay))
		usleep(1000);
}

static void do_block(void *things)
{
	add(&((struct things *)things)->begun, 1);
	CHECK_EQ(filch_block(stay, things), 0);
}

static void do_run(void *things)
{
	struct things *t = things;

	add(&t->begun, 1);
	CHECK_EQ(filch_run(t->other, do_sleep, t), 0);
}

/* What has begun is on its way into its wait. */
static char *dumped_with(filch *rt, long n)
{
	char *text = dumped(rt);

	while (lines(text, "\n") != n) { /* a watchdog ends it */
		free(text);
		sleep_ms(5);
		text = dumped(rt);
	}
	return text;
}

static void do_group(void *things)
{
	struct things *t = things;
	filch_group g;

	filch_group_init(&g, filch_here());
	CHECK_EQ(filch_group_submit(&g, do_sleep, t), 0);
	add(&t->begun, 1);
	CHECK_EQ(filch_group_wait(&g), 0);
}

static void ready(int result, void *n)
{
	CHECK_EQ(result, -ECANCELED);
	add(n, 1);
}

Test(dump, each_wait_has_its_line)
{
	filch_fn *tasks[] = { do_sleep, do_read, do_poll, do_sem, do_recv, do_cond, do_block, do_run, do_group };
	filch *rt = start();
	struct things t = { .other = start(), .sem = FILCH_SEM_INIT(0), .mutex = FILCH_MUTEX_INIT, .stay = 1 };
	char descriptor[64], *text;
	long n = 0;

	t.ch = filch_chan_new(1, 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, t.pair), 0);
	for (size_t i = 0; i < LENGTH(tasks); i++)
		CHECK_EQ(filch_submit(rt, tasks[i], &t), 0);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(filch_submit_when(rt, t.pair[0], POLLIN, filch_after(1000000 * MS), ready, &n), 0);
	until(&t.begun, (long)LENGTH(tasks) + 2);
	text = dumped_with(rt, LENGTH(tasks) + 1 + 9);
	CHECK_EQ(lines(text, "waits for sleep"), 2);
	CHECK_EQ(lines(text, "until in "), 2 + 8);
	CHECK_EQ(lines(text, ", since "), LENGTH(tasks) + 1);
	snprintf(descriptor, sizeof(descriptor), "waits for descriptor %d for reading", t.pair[0]);
	CHECK_EQ(lines(text, descriptor), 1);
	snprintf(descriptor, sizeof(descriptor), "waits for descriptor %d, without a stack", t.pair[0]);
	CHECK_EQ(lines(text, descriptor), 8);
	snprintf(descriptor, sizeof(descriptor), "and 2 more on descriptor %d", t.pair[0]);
	CHECK_EQ(lines(text, descriptor), 1);
	snprintf(descriptor, sizeof(descriptor), "waits for semaphore %p", (void *)&t.sem);
	CHECK_EQ(lines(text, descriptor), 1);
	snprintf(descriptor, sizeof(descriptor), "task %p (", (void *)(uintptr_t)do_sem);
	CHECK_EQ(lines(text, descriptor), 1);
	CHECK_EQ(lines(text, "waits for channel "), 1);
	CHECK_EQ(lines(text, "waits for condition "), 1);
	CHECK_EQ(lines(text, "waits for block"), 1);
	CHECK_EQ(lines(text, "waits for run in another runtime"), 1);
	CHECK_EQ(lines(text, "waits for group "), 1);
	free(text);
	set(&t.stay, 0);
	filch_cancel(rt);
	filch_cancel(t.other);
	until(&n, 10);
	stop(rt);
	stop(t.other);
	CHECK_EQ(filch_close(t.pair[0]) | filch_close(t.pair[1]), 0);
	filch_chan_free(t.ch);
}

Test(dump, mistakes_are_told)
{
	filch *rt = start();
	struct things t = { .begun = 0 };

	CHECK_EQ(filch_dump(NULL, 2), -EINVAL);
	CHECK_EQ(filch_dump(rt, -1), 0); /* nothing to say */
	CHECK_EQ(filch_submit(rt, do_sleep, &t), 0);
	until(&t.begun, 1);
	free(dumped_with(rt, 1));
	CHECK_EQ(filch_dump(rt, -1), -EBADF);
	filch_cancel(rt);
	stop(rt);
}

/* ---- a join; while all of it goes on ---- */

FILCH_VOID_TASK(hold_on, frame, struct things *, t)
{
	add(&t->begun, 1);
	while (get(&t->stay))
		usleep(1000);
}

FILCH_VOID_TASK(join_long, frame, struct things *, t)
{
	hold_on_fork(&frame, t);
	while (!get(&t->begun)) /* the other worker has taken it */
		filch_yield();
	hold_on_join(&frame);
}

static void run_join(void *things)
{
	join_long_run(filch_here(), things);
}

Test(dump, a_join_has_its_line)
{
	filch *rt = start_workers(2);
	struct things t = { .stay = 1 };
	char *text, task[64];

	CHECK_EQ(filch_submit(rt, run_join, &t), 0);
	until(&t.begun, 1);
	do {
		text = dumped(rt);
	} while (lines(text, "waits for join") == 0 && (free(text), true));
	snprintf(task, sizeof(task), "task %p (", (void *)(uintptr_t)run_join);
	CHECK_EQ(lines(text, task), 1);
	free(text);
	set(&t.stay, 0);
	stop(rt);
}

static void nap(void *unused)
{
	(void)unused;
	sleep_ms(1);
}

static void pass(void *things)
{
	struct things *t = things;

	CHECK_EQ(filch_sem_wait(&t->sem, FILCH_NEVER), 0);
	filch_yield();
	filch_sem_post(&t->sem);
}

static void come_and_go(void *things)
{
	struct things *t = things;

	while (get(&t->stay)) {
		filch_group g;

		filch_group_init(&g, filch_here());
		for (int i = 0; i < 8; i++)
			CHECK_EQ(filch_group_submit(&g, i % 2 ? nap : pass, t), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
}

Test(dump, tasks_may_come_and_go_meanwhile)
{
	filch *rt = start();
	struct things t = { .stay = 1, .sem = FILCH_SEM_INIT(1) };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < 4; i++)
		CHECK_EQ(filch_submit(rt, come_and_go, &t), 0);
	for (long i = 0; i < rounds(50000); i++)
		CHECK_EQ(filch_dump(rt, null), 0);
	set(&t.stay, 0);
	stop(rt);
	CHECK_EQ(close(null), 0);
}
