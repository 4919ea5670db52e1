/* SPDX-License-Identifier: MIT */
/* Fork and join: types, depth, and results that do not depend on who ran what. What waits inside is in fork_wait.c. */
#include "../support.h"

TestSuite(fork, .timeout = WATCHDOG);

FILCH_TASK(long, fib, frame, long, n)
{
	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	long right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

Test(fork, fib_is_the_same_from_a_thread_in_a_task_and_serially)
{
	filch *rt = start();

	CHECK_EQ(fib_run(rt, 0), 0);
	CHECK_EQ(fib_run(rt, 1), 1);
	CHECK_EQ(fib_run(rt, 25), 75025);
	CHECK_EQ(fib_run(NULL, 25), 75025);
	for (int i = 0; i < 1000; i++)
		CHECK_EQ(fib_run(rt, 10), 55);
	stop(rt);
}

/* ---- types ---- */

struct six {
	double d[6];
};

FILCH_TASK(int, none, frame)
{
	return 40;
}
FILCH_TASK(char, one, frame, char, a)
{
	return (char)(a + 1);
}
FILCH_TASK(double, two, frame, double, a, float, b)
{
	return a / b;
}
FILCH_TASK(const char *, three, frame, const char *, a, size_t, b, short, c)
{
	return a + b + c;
}
FILCH_TASK(struct six, four, frame, double, a, int, b, int8_t, c, uint64_t, d)
{
	return (struct six){ { a, b, c, (double)d, -1, -2 } };
}
FILCH_TASK(bool, five, frame, bool, a, bool, b, int64_t, c, int64_t, d, bool, e)
{
	return a && !b && c == INT64_MIN && d == INT64_MAX && e;
}
FILCH_TASK(int64_t, six, frame, int64_t, a, int64_t, b, int64_t, c, int64_t, d, int64_t, e, int64_t, f)
{
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e + 100000 * f;
}
FILCH_TASK(long double, wide, frame, long double, a, long double, b)
{
	return a * b;
}
FILCH_TASK(struct six, whole, frame, struct six, s)
{
	for (int i = 0; i < 6; i++)
		s.d[i] *= 2;
	return s;
}
FILCH_VOID_TASK(void_none, frame)
{
	sleep_ms(1);
}
FILCH_VOID_TASK(void_one, frame, long *, a)
{
	++*a;
}
FILCH_VOID_TASK(void_six, frame, long *, a, int, b, int, c, int, d, int, e, int, f)
{
	*a = b + c + d + e + f;
}

/* Every fork of the frame may be taken by somebody else: each joins as it was made. */
FILCH_VOID_TASK(all_types, frame, bool, steal)
{
	const char *text = "abcdef";
	long n = 1, sum = 0;
	struct six s;

	none_fork(&frame);
	one_fork(&frame, 'a');
	two_fork(&frame, 3, 2);
	three_fork(&frame, text, 2, 1);
	four_fork(&frame, 1.5, -2, -3, 4);
	five_fork(&frame, true, false, INT64_MIN, INT64_MAX, true);
	six_fork(&frame, 1, 2, 3, 4, 5, 6);
	wide_fork(&frame, 1.5L, 2);
	whole_fork(&frame, (struct six){ { 1, 2, 3, 4, 5, 6 } });
	void_none_fork(&frame);
	void_one_fork(&frame, &n);
	void_six_fork(&frame, &sum, 1, 2, 3, 4, 5);
	if (steal)
		sleep_ms(2);
	void_six_join(&frame);
	CHECK_EQ(sum, 15);
	void_one_join(&frame);
	CHECK_EQ(n, 2);
	void_none_join(&frame);
	s = whole_join(&frame);
	for (int i = 0; i < 6; i++)
		CHECK(s.d[i] == 2 * (i + 1));
	CHECK(wide_join(&frame) == 3);
	CHECK_EQ(six_join(&frame), 654321);
	CHECK(five_join(&frame));
	s = four_join(&frame);
	CHECK(s.d[0] == 1.5 && s.d[1] == -2 && s.d[2] == -3 && s.d[3] == 4 && s.d[5] == -2);
	CHECK(three_join(&frame) == text + 3);
	CHECK(two_join(&frame) == 1.5);
	CHECK_EQ(one_join(&frame), 'b');
	CHECK_EQ(none_join(&frame), 40);
}

Test(fork, arguments_and_results_of_every_kind_and_number)
{
	filch *rt = start();
	struct six s = whole_run(rt, (struct six){ { 1, 2, 3, 4, 5, 6 } });

	CHECK(s.d[0] == 2 && s.d[5] == 12);
	CHECK_EQ(none_run(rt), 40);
	CHECK_EQ(none_run(NULL), 40);
	void_none_run(rt);
	CHECK_EQ(six_run(rt, 1, 2, 3, 4, 5, 6), 654321);
	for (int i = 0; i < 50; i++)
		all_types_run(rt, i % 2);
	all_types_run(NULL, true);
	stop(rt);
}

FILCH_TASK_FORWARD(bool, is_odd, unsigned, n);
FILCH_VOID_TASK_FORWARD(down, long *, n);

FILCH_TASK(bool, is_even, frame, unsigned, n)
{
	if (n == 0)
		return true;
	is_odd_fork(&frame, n - 1);
	return is_odd_join(&frame);
}

FILCH_TASK(bool, is_odd, frame, unsigned, n)
{
	if (n == 0)
		return false;
	is_even_fork(&frame, n - 1);
	return is_even_join(&frame);
}

FILCH_VOID_TASK(down, frame, long *, n)
{
	if (--*n > 0)
		down(frame, n);
}

FILCH_TASK_DECLARE(long, external, long, n);
FILCH_VOID_TASK_DECLARE(external_void, long *, n);

FILCH_TASK_DEFINE(long, external, frame, long, n)
{
	external_void_fork(&frame, &n);
	external_void_join(&frame);
	return n;
}

FILCH_VOID_TASK_DEFINE(external_void, frame, long *, n)
{
	*n *= 2;
}

#ifdef UNDER_ASAN /* whose frames are large */
#define DEEP 500
#else
#define DEEP 1000
#endif

Test(fork, tasks_may_be_declared_ahead)
{
	filch *rt = start();
	long n = 100;

	CHECK(is_even_run(rt, DEEP));
	CHECK(!is_odd_run(rt, DEEP));
	CHECK(is_odd_run(NULL, DEEP - 1));
	down_run(rt, &n);
	CHECK_EQ(n, 0);
	CHECK_EQ(external_run(rt, 21), 42);
	stop(rt);
}

/* ---- many in flight ---- */

FILCH_TASK(long, square, frame, long, n)
{
	if (n % 1000 == 999)
		filch_yield();
	return n * n;
}

FILCH_VOID_TASK(flat, frame, long, n)
{
	for (long i = 0; i < n; i++)
		square_fork(&frame, i);
	for (long i = n - 1; i >= 0; i--)
		CHECK_EQ(square_join(&frame), i * i);
}

Test(fork, ten_thousand_forks_of_one_frame_join_in_order)
{
	filch *rt = start();

	for (int i = 0; i < 20; i++)
		flat_run(rt, 10000);
	flat_run(NULL, 10000);
	stop(rt);
}

FILCH_TASK(long, deep, frame, long, n)
{
	long rest;

	if (n == 0)
		return 0;
	square_fork(&frame, 1);
	rest = deep(frame, n - 1);
	return square_join(&frame) + rest;
}

Test(fork, a_hundred_thousand_forks_of_as_many_frames_are_in_flight)
{
#ifdef UNDER_TSAN
	const long n = 10000; /* it follows 65,000 calls on one stack */
#else
	const long n = 100000;
#endif
	filch *rt = start_with((struct filch_options){ .workers = workers(), .stack_size = 64 << 20 });

	CHECK_EQ(deep_run(rt, n), n);
	CHECK_EQ(deep_run(rt, 10), 10);
	stop(rt);
}

/* ---- runs inside runs ---- */

FILCH_TASK(long, nested, frame, filch *, rt, long, n)
{
	long sum;

	if (n == 0)
		return 1;
	square_fork(&frame, n);
	nested_fork(&frame, rt, n - 1);
	sum = fib_run(rt, 10); /* its forks lie above the two that are in flight */
	sum += fib_run(NULL, 10);
	sum += nested_join(&frame);
	return sum + square_join(&frame);
}

static void run_nested(void *sum)
{
	*(long *)sum = nested_run(filch_here(), filch_here(), 20);
}

Test(fork, a_run_inside_a_forked_function_leaves_the_forks_in_flight_alone)
{
	filch *rt = start();
	long sum = 0, expected = 1;

	for (long i = 1; i <= 20; i++)
		expected += i * i + 110;
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(nested_run(rt, rt, 20), expected);
		CHECK_EQ(filch_run(rt, run_nested, &sum), 0);
		CHECK_EQ(sum, expected);
	}
	stop(rt);
}

struct other {
	filch *rt;
	long result;
};

static void run_elsewhere(void *other)
{
	struct other *o = other;

	o->result = fib_run(o->rt, 15);
}

Test(fork, a_task_of_one_runtime_runs_in_another)
{
	struct other o = { .rt = start() };
	filch *rt = start();

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(filch_run(rt, run_elsewhere, &o), 0);
		CHECK_EQ(o.result, 610);
	}
	stop(rt);
	stop(o.rt);
}

/* ---- refusals: serially, in the caller ---- */

static long blocked, leave;

static void block(void *unused)
{
	(void)unused;
	set(&blocked, 1);
	until(&leave, 1);
}

FILCH_TASK(int, where, frame)
{
	return filch_worker();
}

Test(fork, what_is_refused_runs_serially_in_the_caller)
{
	filch *rt = start_with((struct filch_options){ .workers = workers(), .max_pending = 1 });

	CHECK(where_run(rt) >= 0);
	CHECK_EQ(where_run(NULL), -1);
	CHECK_EQ(filch_submit(rt, block, NULL), 0);
	until(&blocked, 1);
	CHECK_EQ(where_run(rt), -1);
	CHECK_EQ(fib_run(rt, 20), 6765);
	set(&leave, 1);
	stop(rt);
}

static void *stop_it(void *rt)
{
	stop(rt);
	return NULL;
}

Test(fork, while_stopping_it_runs_serially_in_the_caller)
{
	filch *rt = start();
	pthread_t stopper;

	CHECK_EQ(filch_submit(rt, block, NULL), 0);
	until(&blocked, 1);
	stopper = thread(stop_it, rt);
	while (where_run(rt) != -1)
		sleep_ms(1);
	CHECK_EQ(fib_run(rt, 20), 6765);
	set(&leave, 1);
	join_thread(stopper);
}

/* ---- memory ---- */

/* KiB of memory in areas of slots. */
static long touched(void)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	long size = 0, rss, sum = 0;
	char line[4096];

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "Size: %ld kB", &size);
		if (size == 256 << 10 && sscanf(line, "Rss: %ld kB", &rss) == 1)
			sum += rss;
	}
	fclose(f);
	return sum;
}

FILCH_TASK(long, nothing_flat, frame, long, n)
{
	long sum = 0;

	if (!n)
		return 1;
	for (long i = 0; i < n; i++)
		nothing_flat_fork(&frame, 0);
	for (long i = 0; i < n; i++)
		sum += nothing_flat_join(&frame);
	return sum;
}

Test(fork, what_millions_in_flight_have_touched_is_given_back)
{
	long few = 60000, many = 1000000;
	filch *rt;

	if (environment("FILCH_TEST_EMULATED", 0)) /* the emulator's own idea of smaps */
		return;
	rt = start_workers(1);
	CHECK_EQ(nothing_flat_run(rt, few), few);
	CHECK(touched() >= few * 64 >> 10); /* it may be kept, and this finds it */
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(nothing_flat_run(rt, many), many);
		for (int ms = 0; touched() > 8 << 10; ms++) { /* when it has nothing else to do */
			CHECK(ms < 2000);
			usleep(1000);
		}
	}
	stop(rt);
}
