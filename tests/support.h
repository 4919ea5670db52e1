/* SPDX-License-Identifier: MIT */
/*
 * What the tests share. A check may fail on any thread and on any task's stack, so CHECK says what is wrong and ends
 * the test's process, which both Criterion and its stand-in take for a failure.
 */
#ifndef FILCH_TESTS_SUPPORT_H
#define FILCH_TESTS_SUPPORT_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <filch.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

/* Seconds until a test hangs. Criterion wants a constant; the stand-in multiplies by FILCH_TEST_SLACK. */
#ifdef WATCHDOG /* make stress */
#elif defined(UNDER_ASAN)
#define WATCHDOG 120
#else
#define WATCHDOG 30
#endif

#define CHECK(x) ((x) ? (void)0 : check_failed(__FILE__, __LINE__, #x, 0, 0))
#define CHECK_EQ(a, b) \
	do { \
		long long a_ = (long long)(a), b_ = (long long)(b); \
		if (a_ != b_) \
			check_failed(__FILE__, __LINE__, #a " == " #b, a_, b_); \
	} while (0)

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define MS ((int64_t)1000000)

static inline _Noreturn void check_failed(const char *file, int line, const char *what, long long a, long long b)
{
	dprintf(STDERR_FILENO, "%s:%d: %s fails (%lld, %lld)\n", file, line, what, a, b);
	_exit(1);
}

static inline long environment(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtol(value, NULL, 10) : otherwise;
}

/* Workers of a runtime under test. */
static inline unsigned workers(void)
{
	return (unsigned)environment("FILCH_TEST_WORKERS", 2);
}

/* A time that is only there to tell slow from never. */
static inline int64_t slack(int64_t ns)
{
	return ns * environment("FILCH_TEST_SLACK", 1);
}

/* How often, of a full length that only `make stress` runs. */
static inline long rounds(long full)
{
	long n = full * environment("FILCH_TEST_PERCENT", 1) / 100;

#ifdef UNDER_TSAN
	n /= 4; /* each stack costs it milliseconds */
#endif
	return n > 0 ? n : 1;
}

/*
 * Any port of an address of this machine: each time another address, since connections that were
 * closed keep their ports for a minute, and an address has 28,000.
 */
static inline struct sockaddr_in loopback(void)
{
	static uint32_t calls;
	uint32_t n = __atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED);

	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK + n % 60000) };
}

static inline filch *start_with(struct filch_options options)
{
	filch *rt;

	if (environment("FILCH_TEST_EPOLL", 0))
		options.flags |= FILCH_EPOLL;
	rt = filch_start(&options);
	CHECK(rt);
	return rt;
}

static inline filch *start_workers(unsigned n)
{
	return start_with((struct filch_options){ .workers = n });
}

static inline filch *start(void)
{
	return start_workers(workers());
}

static inline void stop(filch *rt)
{
	CHECK_EQ(filch_stop(rt), 0);
}

static inline pthread_t thread(void *(*body)(void *), void *arg)
{
	pthread_t id;

	CHECK_EQ(pthread_create(&id, NULL, body, arg), 0);
	return id;
}

static inline void join_thread(pthread_t id)
{
	CHECK_EQ(pthread_join(id, NULL), 0);
}

/* Counters and flags that tasks on several workers share. */
static inline long add(long *n, long by)
{
	return __atomic_add_fetch(n, by, __ATOMIC_SEQ_CST);
}

static inline long get(long *n)
{
	return __atomic_load_n(n, __ATOMIC_SEQ_CST);
}

static inline void set(long *n, long value)
{
	__atomic_store_n(n, value, __ATOMIC_SEQ_CST);
}

static inline void sleep_ms(long n)
{
	CHECK_EQ(filch_sleep_until(filch_after(n * MS)), 0);
}

/* Something that goes on beside the caller: a task beside a task, a thread beside a thread. */
struct beside {
	filch_fn *fn;
	void *arg;
	filch_group group;
	pthread_t thread;
	bool task;
};

static inline void *beside_thread(void *beside)
{
	struct beside *b = beside;

	b->fn(b->arg);
	return NULL;
}

static inline void beside(struct beside *b, filch_fn *fn, void *arg)
{
	*b = (struct beside){ .fn = fn, .arg = arg, .task = filch_here() };
	if (b->task) {
		filch_group_init(&b->group, filch_here());
		CHECK_EQ(filch_group_submit(&b->group, fn, arg), 0);
	} else {
		b->thread = thread(beside_thread, b);
	}
}

static inline void finish(struct beside *b)
{
	if (b->task)
		CHECK_EQ(filch_group_wait(&b->group), 0);
	else
		join_thread(b->thread);
}

/* What must hold for a task and for a thread outside alike. */
static inline void in_task_and_thread(filch_fn *fn, void *arg)
{
	filch *rt = start();

	CHECK_EQ(filch_run(rt, fn, arg), 0);
	stop(rt);
	fn(arg);
}

/* The kernel's names of this process's threads that begin so. */
static inline long threads_named(const char *prefix)
{
	DIR *dir = opendir("/proc/self/task");
	long n = 0;

	for (struct dirent *e; (e = readdir(dir));) {
		char path[300], name[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		n += f && fgets(name, sizeof(name), f) && !strncmp(name, prefix, strlen(prefix));
		if (f)
			fclose(f);
	}
	closedir(dir);
	return n;
}

/* Let time pass until the counter has come to a value: a test that waits for ever is ended by its watchdog. */
static inline void until(long *n, long value)
{
	while (get(n) < value)
		sleep_ms(1);
}

#endif
