/* SPDX-License-Identifier: MIT */
/* Functions that block: beside the workers, as their task, bounded. */
#include "../support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

TestSuite(block, .timeout = WATCHDOG);

static long threads(void)
{
	DIR *d = opendir("/proc/self/task");
	long n = 0;

	CHECK(d);
	while (readdir(d))
		n++;
	CHECK_EQ(closedir(d), 0);
	return n;
}

/* ---- beside the workers ---- */

struct meeting {
	pthread_barrier_t barrier;
	long inside, most, done;
};

static void meet(void *meeting)
{
	struct meeting *m = meeting;

	pthread_barrier_wait(&m->barrier); /* of all of them, at once: more than there are workers */
	add(&m->done, 1);
}

static void block_and_meet(void *meeting)
{
	CHECK_EQ(filch_block(meet, meeting), 0);
}

Test(block, what_blocks_holds_no_worker)
{
	filch *rt = start();
	struct meeting m = { .done = 0 };
	filch_group g;

	CHECK_EQ(pthread_barrier_init(&m.barrier, NULL, 10), 0);
	for (int round = 0; round < 20; round++) {
		filch_group_init(&g, rt);
		for (int i = 0; i < 10; i++)
			CHECK_EQ(filch_group_submit(&g, block_and_meet, &m), 0);
		CHECK_EQ(filch_group_wait(&g), 0);
	}
	CHECK_EQ(m.done, 200);
	stop(rt);
}

static void stay_a_while(void *meeting)
{
	struct meeting *m = meeting;

	CHECK(add(&m->inside, 1) <= 3);
	usleep(1000);
	add(&m->inside, -1);
	add(&m->done, 1);
}

static void block_and_stay(void *meeting)
{
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_block(stay_a_while, meeting), 0);
}

Test(block, there_are_as_many_threads_as_may_be_and_the_rest_queues)
{
	struct meeting m = { .done = 0 };
	long before;
	filch *rt;

	stop(start()); /* a tool's own thread has been started by now */
	before = threads();
	rt = start_with((struct filch_options){ .workers = workers(), .max_blocking = 3 });
	for (int i = 0; i < 20; i++)
		CHECK_EQ(filch_submit(rt, block_and_stay, &m), 0);
	stop(rt); /* waits for what has begun, and for what queues */
	CHECK_EQ(m.done, 60);
	while (threads() > before) /* one that was joined may be listed a moment longer */
		usleep(1000);
}

static void nothing(void *n)
{
	add(n, 1);
}

static void block_often(void *n)
{
	for (int i = 0; i < 50; i++)
		CHECK_EQ(filch_block(nothing, n), 0);
}

Test(block, none_is_lost_between_threads_and_queue)
{
	for (long i = 0; i < rounds(2000); i++) {
		filch *rt = start_with((struct filch_options){ .workers = workers(), .max_blocking = 1 + i % 3 });
		long n = 0;

		for (int j = 0; j < 8; j++)
			CHECK_EQ(filch_submit(rt, block_often, &n), 0);
		stop(rt);
		CHECK_EQ(n, 400);
	}
}

/* ---- as its task ---- */

struct self {
	filch *rt;
	pthread_t worker;
	filch_mutex mutex;
	filch_sem sem;
	long ran;
	bool cancelled, refuses; /* its group takes no more tasks */
};

FILCH_TASK(long, count_forks, frame, long, n)
{
	if (n == 0)
		return 1;
	count_forks_fork(&frame, n - 1);
	long left = count_forks(frame, n - 1);
	return left + count_forks_join(&frame);
}

static void run_inside(void *self)
{
	struct self *s = self;

	CHECK_EQ(filch_worker(), -1);
	add(&s->ran, 1);
}

static void post(void *sem)
{
	filch_sem_post(sem);
}

static void look_around(void *self)
{
	struct self *s = self;
	filch_group g;

	CHECK(!pthread_equal(pthread_self(), s->worker));
	CHECK(filch_here() == s->rt);
	CHECK_EQ(filch_worker(), -1);
	CHECK_EQ(filch_cancelled(), s->cancelled);
	CHECK_EQ(filch_mutex_lock(&s->mutex, 0), -EDEADLK); /* the task's */
	filch_mutex_unlock(&s->mutex);
	CHECK_EQ(filch_mutex_lock(&s->mutex, 0), 0);
	CHECK_EQ(filch_run(s->rt, run_inside, s), 0);
	CHECK_EQ(filch_block(run_inside, s), 0);
	CHECK_EQ(s->ran, 2);
	CHECK_EQ(count_forks_run(s->rt, 10), 1024);
	CHECK_EQ(count_forks_run(NULL, 10), 1024);
	CHECK_EQ(filch_submit(s->rt, post, &s->sem), 0);
	if (!s->cancelled) {
		CHECK_EQ(filch_sem_wait(&s->sem, FILCH_NEVER), 0);
		CHECK_EQ(filch_sem_wait(&s->sem, filch_after(MS)), -ETIMEDOUT);
		sleep_ms(1);
	}
	filch_group_init(&g, s->rt);
	CHECK_EQ(filch_group_submit(&g, post, &s->sem), s->refuses ? -ECANCELED : 0);
	CHECK_EQ(filch_group_wait(&g), 0);
	filch_yield();
	CHECK_EQ(filch_stop(s->rt), -EDEADLK);
}

static void block_and_look(void *self)
{
	struct self *s = self;

	s->rt = filch_here();
	s->worker = pthread_self();
	CHECK_EQ(filch_mutex_lock(&s->mutex, FILCH_NEVER), 0);
	while (s->cancelled && !filch_cancelled())
		filch_yield();
	s->worker = pthread_self();
	CHECK_EQ(filch_block(look_around, s), 0);
	filch_mutex_unlock(&s->mutex);
}

Test(block, it_runs_as_its_task)
{
	for (int i = 0; i < 3; i++) {
		filch *rt = start();
		struct self s = { .mutex = FILCH_MUTEX_INIT, .sem = FILCH_SEM_INIT(0), .cancelled = i, .refuses = i == 1 };
		filch_group g;

		filch_group_init(&g, rt);
		CHECK_EQ(filch_group_submit(&g, block_and_look, &s), 0);
		if (i == 1)
			filch_group_cancel(&g, 0);
		if (i == 2)
			filch_cancel(rt);
		CHECK_EQ(filch_group_wait(&g), i == 1 ? -ECANCELED : 0);
		CHECK_EQ(s.ran, 2);
		stop(rt);
	}
}

static void refuse_null(void *n)
{
	CHECK_EQ(filch_block(NULL, n), -EINVAL);
	CHECK_EQ(filch_block(nothing, n), 0);
}

Test(block, a_thread_runs_it_itself)
{
	long n = 0;

	in_task_and_thread(refuse_null, &n);
	CHECK_EQ(n, 2);
}

static void still_served(void *n)
{
	usleep(20000);
	CHECK_EQ(filch_submit(filch_here(), nothing, n), 0);
	CHECK_EQ(filch_run(filch_here(), nothing, n), 0);
}

static void block_and_submit(void *n)
{
	CHECK_EQ(filch_block(still_served, n), 0);
}

Test(block, a_stop_waits_for_it_and_serves_it)
{
	filch *rt = start();
	long n = 0;

	CHECK_EQ(filch_submit(rt, block_and_submit, &n), 0);
	stop(rt);
	CHECK_EQ(n, 2);
}

/* ---- its waits are cancelled ---- */

struct waiting {
	int pair[2];
	filch_sem sem;
	long begun, kind;
	filch_group *group;
};

static void wait_inside(void *waiting)
{
	struct waiting *w = waiting;
	char c;

	add(&w->begun, 1);
	if (w->kind == 0)
		CHECK_EQ(filch_sem_wait(&w->sem, FILCH_NEVER), -ECANCELED);
	else if (w->kind == 1)
		CHECK_EQ(filch_sleep_until(FILCH_NEVER), -ECANCELED);
	else
		CHECK_EQ(filch_read(w->pair[0], &c, 1, FILCH_NEVER), -ECANCELED);
}

static void block_and_wait(void *waiting)
{
	CHECK_EQ(filch_block(wait_inside, waiting), 0);
}

static void cancel_what_blocks(filch *rt, long kind, bool early)
{
	struct waiting w = { .kind = kind };
	filch_group g;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, w.pair), 0);
	filch_sem_init(&w.sem, 0);
	filch_group_init(&g, rt);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(filch_group_submit(&g, block_and_wait, &w), 0);
	until(&w.begun, early ? 1 : 3);
	filch_group_cancel(&g, 0);
	CHECK_EQ(filch_group_wait(&g), -ECANCELED);
	CHECK_EQ(filch_close(w.pair[0]) | filch_close(w.pair[1]), 0);
}

Test(block, a_cancel_reaches_what_waits_inside)
{
	filch *rt = start();

	for (long i = 0; i < rounds(20000); i++)
		cancel_what_blocks(rt, i % 2, i % 4 < 2);
	cancel_what_blocks(rt, 2, false);
	stop(rt);
}

/* ---- files ---- */

struct file {
	int fd;
	long done;
};

static void use_file(void *file)
{
	struct file *f = file;
	char out[512], in[512];
	long which = add(&f->done, 1);

	for (int i = 0; i < 20; i++) {
		char name[] = "/tmp/filch-block-XXXXXX";
		int fd = mkstemp(name);

		CHECK(fd >= 0);
		CHECK_EQ(unlink(name), 0);
		memset(out, (int)which + i, sizeof(out));
		CHECK_EQ(filch_write(fd, out, sizeof(out), FILCH_NEVER), sizeof(out));
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK_EQ(filch_read(fd, in, sizeof(in), FILCH_NEVER), sizeof(in));
		CHECK_EQ(memcmp(in, out, sizeof(in)), 0);
		CHECK_EQ(filch_read(fd, in, sizeof(in), 0), 0);
		CHECK_EQ(filch_close(fd), 0);
	}
	CHECK_EQ(filch_read(f->fd, in, sizeof(in), FILCH_NEVER), -EISDIR);
	CHECK_EQ(filch_write(f->fd, in, sizeof(in), FILCH_NEVER), -EBADF);
}

Test(block, files_are_read_and_written_by_tasks_and_threads)
{
	filch *rt = start();
	struct file f = { .fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) };

	for (int i = 0; i < 8; i++)
		CHECK_EQ(filch_submit(rt, use_file, &f), 0);
	use_file(&f);
	stop(rt);
	CHECK_EQ(filch_close(f.fd), 0);
}

/* ---- what it runs on the workers belongs to its task's group ---- */

static void wait_as_part(size_t begin, size_t end, void *waiting)
{
	struct waiting *w = waiting;

	(void)begin;
	(void)end;
	add(&w->begun, 1);
	CHECK_EQ(filch_sem_wait(&w->sem, FILCH_NEVER), -ECANCELED);
	CHECK(filch_cancelled());
	CHECK_EQ(filch_group_wait(w->group), -EDEADLK);
}

static void loop_over(void *waiting)
{
	filch_for(filch_here(), 0, 4, 1, wait_as_part, waiting);
}

static void block_and_loop(void *waiting)
{
	CHECK_EQ(filch_block(loop_over, waiting), 0);
}

static void cancel_what_loops(filch *rt)
{
	struct waiting w = { .kind = 0 };
	filch_group g;

	filch_sem_init(&w.sem, 0);
	filch_group_init(&g, rt);
	w.group = &g;
	CHECK_EQ(filch_group_submit(&g, block_and_loop, &w), 0);
	until(&w.begun, 4);
	filch_group_cancel(&g, 0);
	CHECK_EQ(filch_group_wait(&g), -ECANCELED);
}

Test(block, a_cancel_reaches_what_runs_on_the_workers_for_it)
{
	filch *rt = start();

	for (int i = 0; i < 10; i++)
		cancel_what_loops(rt);
	stop(rt);
}
