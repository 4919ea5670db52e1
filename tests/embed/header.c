/* SPDX-License-Identifier: MIT */
/*
 * The public header as a program elsewhere sees it: every function, its type spelt out, and every
 * form of task. Compiled as C11 and as C++17, linked with each library, and run.
 */
#include <filch.h>
#include <stdio.h>

/* clang-format off */
#define SAME(type, function)                   \
	{                                      \
		type = function;               \
		if (!pointer)                  \
			return 1;              \
	}

/* ---- the functions ------------------------------------------------------------------------- */

static int check_runtime_types(void)
{
	SAME(filch *(*pointer)(const struct filch_options *options), filch_start)
	SAME(int (*pointer)(filch *rt), filch_stop)
	SAME(void (*pointer)(filch *rt), filch_cancel)
	SAME(int (*pointer)(filch *rt, unsigned n), filch_resize)
	SAME(filch *(*pointer)(void), filch_here)
	SAME(int (*pointer)(filch *rt, filch_fn *fn, void *arg), filch_submit)
	SAME(int (*pointer)(filch *rt, filch_fn *fn, void *arg), filch_run)
	SAME(void (*pointer)(filch_group *g, filch *rt), filch_group_init)
	SAME(int (*pointer)(filch_group *g, filch_fn *fn, void *arg), filch_group_submit)
	SAME(int (*pointer)(filch_group *g), filch_group_wait)
	SAME(int (*pointer)(filch_group *g, int64_t deadline), filch_group_wait_until)
	SAME(void (*pointer)(filch_group *g, int error), filch_group_cancel)
	SAME(bool (*pointer)(void), filch_cancelled)
	SAME(int (*pointer)(filch *rt, int worker, struct filch_stats *out), filch_stats)
	SAME(int (*pointer)(filch *rt, int fd), filch_dump)
	SAME(unsigned (*pointer)(const filch *rt), filch_workers)
	SAME(int (*pointer)(void), filch_worker)
	SAME(int (*pointer)(void), filch_version)
	return 0;
}

static int check_waiting_types(void)
{
	SAME(int64_t (*pointer)(void), filch_now)
	SAME(int64_t (*pointer)(int64_t ns), filch_after)
	SAME(int (*pointer)(int64_t deadline), filch_sleep_until)
	SAME(void (*pointer)(void), filch_yield)
	SAME(ssize_t (*pointer)(int fd, void *buf, size_t n, int64_t deadline), filch_read)
	SAME(ssize_t (*pointer)(int fd, const void *buf, size_t n, int64_t deadline), filch_write)
	SAME(ssize_t (*pointer)(int fd, void *buf, size_t n, int flags, int64_t by), filch_recv)
	SAME(ssize_t (*pointer)(int fd, const void *b, size_t n, int flags, int64_t by), filch_send)
	SAME(int (*pointer)(int fd, struct sockaddr *a, socklen_t *len, int64_t by), filch_accept)
	SAME(int (*pointer)(int fd, const struct sockaddr *a, socklen_t n, int64_t), filch_connect)
	SAME(int (*pointer)(int fd), filch_close)
	SAME(int (*pointer)(filch_fn *fn, void *arg), filch_block)
	SAME(ssize_t (*pointer)(int fd, const struct iovec *v, int n, int64_t by), filch_readv)
	SAME(ssize_t (*pointer)(int fd, const struct iovec *v, int n, int64_t by), filch_writev)
	SAME(ssize_t (*pointer)(int fd, struct msghdr *m, int flags, int64_t by), filch_recvmsg)
	SAME(ssize_t (*pointer)(int, const struct msghdr *m, int flags, int64_t), filch_sendmsg)
	SAME(ssize_t (*pointer)(int out, int in, off_t *o, size_t n, int64_t by), filch_sendfile)
	SAME(int (*pointer)(int fd, short events, int64_t deadline), filch_poll)
	SAME(int (*pointer)(filch *rt, int fd, short events, int64_t deadline, filch_ready_fn *fn,
			    void *arg), filch_submit_when)
	return 0;
}

static int check_between_types(void)
{
	SAME(void (*pointer)(filch_mutex *m), filch_mutex_init)
	SAME(int (*pointer)(filch_mutex *m, int64_t deadline), filch_mutex_lock)
	SAME(int (*pointer)(filch_mutex *m), filch_mutex_trylock)
	SAME(void (*pointer)(filch_mutex *m), filch_mutex_unlock)
	SAME(void (*pointer)(filch_cond *c), filch_cond_init)
	SAME(int (*pointer)(filch_cond *c, filch_mutex *m, int64_t deadline), filch_cond_wait)
	SAME(void (*pointer)(filch_cond *c), filch_cond_signal)
	SAME(void (*pointer)(filch_cond *c), filch_cond_broadcast)
	SAME(void (*pointer)(filch_sem *s, unsigned value), filch_sem_init)
	SAME(int (*pointer)(filch_sem *s, int64_t deadline), filch_sem_wait)
	SAME(void (*pointer)(filch_sem *s), filch_sem_post)
	SAME(filch_chan *(*pointer)(size_t item_size, size_t capacity), filch_chan_new)
	SAME(void (*pointer)(filch_chan *ch), filch_chan_free)
	SAME(int (*pointer)(filch_chan *ch, const void *item, int64_t deadline), filch_chan_send)
	SAME(int (*pointer)(filch_chan *ch, void *item, int64_t deadline), filch_chan_recv)
	SAME(void (*pointer)(filch_chan *ch), filch_chan_close)
	return 0;
}

static int check_loop_types(void)
{
	SAME(void (*pointer)(filch *rt, size_t begin, size_t end, size_t grain,
			     filch_range_fn *body, void *arg), filch_for)
	SAME(int (*pointer)(filch *rt, size_t begin, size_t end, size_t grain,
			    const struct filch_reducer *op, void *arg, void *out), filch_reduce)
	SAME(int (*pointer)(filch *rt, void *base, size_t n, size_t size,
			    int (*compare)(const void *, const void *)), filch_sort)
	return 0;
}

/* clang-format on */
/* ---- the tasks: from no argument to six, with and without a result -------------------------- */

struct wide {
	double d[6]; /* 48 bytes: as much as fits */
};

FILCH_TASK(int, none, frame)
{
	(void)frame;
	return 3;
}

FILCH_TASK(struct wide, turn, frame, struct wide, in)
{
	struct wide out;

	(void)frame;
	for (int i = 0; i < 6; i++)
		out.d[i] = in.d[5 - i];
	return out;
}

FILCH_TASK(long, add2, frame, char, a, long, b)
{
	(void)frame;
	return a + b;
}

FILCH_TASK(long, add3, frame, char, a, short, b, long, c)
{
	(void)frame;
	return a + b + c;
}

FILCH_TASK(long, add4, frame, char, a, short, b, int, c, long, d)
{
	(void)frame;
	return a + b + c + d;
}

FILCH_TASK(double, add5, frame, char, a, short, b, int, c, long, d, double, e)
{
	(void)frame;
	return a + b + c + (double)d + e;
}

FILCH_TASK(double, add6, frame, char, a, short, b, int, c, long, d, double, e, const double *, f)
{
	(void)frame;
	return a + b + c + (double)d + e + *f;
}

FILCH_VOID_TASK(nothing, frame)
{
	(void)frame;
}

FILCH_VOID_TASK(put6, frame, char, a, short, b, int, c, long, d, double, e, double *, out)
{
	(void)frame;
	*out = a + b + c + (double)d + e;
}

/* Mutual recursion, and one that nobody calls: neither may warn. */
FILCH_TASK_FORWARD(bool, odd, unsigned, n);
FILCH_VOID_TASK_FORWARD(count_down, unsigned, n, unsigned *, out);

FILCH_TASK(bool, even, frame, unsigned, n)
{
	if (n == 0)
		return true;
	odd_fork(&frame, n - 1);
	return odd_join(&frame);
}

FILCH_TASK(bool, odd, frame, unsigned, n)
{
	return n == 0 ? false : even(frame, n - 1);
}

FILCH_VOID_TASK(count_down, frame, unsigned, n, unsigned *, out)
{
	++*out;
	if (n > 0) {
		count_down_fork(&frame, n - 1, out);
		count_down_join(&frame);
	}
}

FILCH_TASK(int, unused, frame, int, n)
{
	(void)frame;
	return n;
}

/* As a header declares them and one file defines them. */
FILCH_TASK_DECLARE(long, twice, long, n);
FILCH_VOID_TASK_DECLARE(store, long *, where, long, n);

FILCH_TASK_DEFINE(long, twice, frame, long, n)
{
	(void)frame;
	return 2 * n;
}

FILCH_VOID_TASK_DEFINE(store, frame, long *, where, long, n)
{
	(void)frame;
	*where = n;
}

/* ---- a loop, from C and from C++ --------------------------------------------------------------- */

static void zero(void *acc, void *arg)
{
	(void)arg;
	*(size_t *)acc = 0;
}

static void count(void *acc, size_t begin, size_t end, void *arg)
{
	(void)arg;
	*(size_t *)acc += end - begin;
}

static void add(void *left, const void *right, void *arg)
{
	(void)arg;
	*(size_t *)left += *(const size_t *)right;
}

static int check_loop(filch *rt)
{
	struct filch_reducer op = { sizeof(size_t), zero, count, add };
	size_t n = 0;

	return filch_reduce(rt, 0, 100000, 0, &op, NULL, &n) != 0 || n != 100000;
}

/* ---- running them --------------------------------------------------------------------------- */

FILCH_TASK(bool, forks, frame)
{
	struct wide w = { { 1, 2, 3, 4, 5, 6 } };
	double out = 0, six = 6;
	unsigned steps = 0;
	long stored = 0;
	bool good = true;

	turn_fork(&frame, w);
	none_fork(&frame);
	add2_fork(&frame, 1, 2);
	add3_fork(&frame, 1, 2, 3);
	add4_fork(&frame, 1, 2, 3, 4);
	add5_fork(&frame, 1, 2, 3, 4, 5.0);
	add6_fork(&frame, 1, 2, 3, 4, 5.0, &six);
	nothing_fork(&frame);
	put6_fork(&frame, 1, 2, 3, 4, 5.0, &out);
	twice_fork(&frame, 21);
	store_fork(&frame, &stored, 7);
	count_down_fork(&frame, 10, &steps);
	even_fork(&frame, 10);

	good &= even_join(&frame);
	count_down_join(&frame);
	good &= steps == 11;
	store_join(&frame);
	good &= stored == 7;
	good &= twice_join(&frame) == 42;
	put6_join(&frame);
	good &= out > 14.5 && out < 15.5;
	nothing_join(&frame);
	good &= add6_join(&frame) > 20.5;
	good &= add5_join(&frame) > 14.5;
	good &= add4_join(&frame) == 10;
	good &= add3_join(&frame) == 6;
	good &= add2_join(&frame) == 3;
	good &= none_join(&frame) == 3;
	w = turn_join(&frame);
	return good && w.d[0] > 5.5 && w.d[5] < 1.5;
}

static filch_mutex mutex = FILCH_MUTEX_INIT;
static filch_sem sem = FILCH_SEM_INIT(1);

static int check_running(void)
{
	static struct filch_options options; /* all zero: all defaults */
	filch *rt;
	int bad;

	options.workers = 2;
	options.flags = FILCH_PIN | FILCH_EPOLL | FILCH_REPORT_OVERFLOW | FILCH_NO_ATFORK;
	rt = filch_start(&options);
	if (!rt)
		return 1;
	bad = !forks_run(rt) || !forks_run(NULL) || !even_run(rt, 200);
	bad |= check_loop(rt) || check_loop(NULL);
	nothing_run(rt);
	bad |= filch_mutex_lock(&mutex, FILCH_NEVER) != 0;
	filch_mutex_unlock(&mutex);
	bad |= filch_sem_wait(&sem, filch_after(0)) != 0;
	bad |= filch_sleep_until(filch_now() + 1000) != 0;
	return (filch_stop(rt) != 0) | bad;
}

int main(void)
{
	if (check_runtime_types() || check_waiting_types() || check_between_types() ||
	    check_loop_types())
		return 1;
	if (filch_version() != FILCH_VERSION || FILCH_NEVER != INT64_MAX) {
		fprintf(stderr, "header and library are of two versions\n");
		return 1;
	}
	return check_running();
}
