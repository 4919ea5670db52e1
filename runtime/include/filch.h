/* SPDX-License-Identifier: MIT */
/*
 * filch: a lock-free work-stealing task runtime.
 *
 * A runtime is a fixed number of worker threads. It runs tasks: plain calls of your functions, on stacks of
 * their own, so that a task may fork others, and may wait for a socket, a timer or another task, without
 * holding a thread. In reading order:
 *
 *	the runtime		filch_start, filch_stop
 *	tasks and groups	filch_submit, filch_run, filch_group_*
 *	fork and join, loops	FILCH_TASK, filch_for, filch_reduce, filch_sort
 *	waiting			filch_sleep_until, filch_read, filch_accept, ...
 *	between tasks		filch_mutex, filch_cond, filch_sem, filch_chan
 *	looking inside		filch_stats
 *
 * Conventions. Functions return 0, or a count, or a negative errno value; errno itself is left alone. The library
 * never prints, exits or aborts on a user's mistake. Times are nanoseconds on CLOCK_MONOTONIC. Whatever waits
 * takes an absolute deadline last (FILCH_NEVER for none); it succeeds if the thing is ready, even when the deadline
 * has passed, and answers -ETIMEDOUT otherwise. Everything may be called from any thread: a wait suspends the
 * calling task, or blocks the calling thread where there is no task.
 *
 * What belongs to the thread and not to the task: a task that waits (or joins) may go on in another thread, so
 * what it kept from before is no longer its own: the address of a thread_local, of errno among them, a pthread
 * lock, a C++ catch block, a changed floating-point environment. Do not hold any of these across a wait.
 */
#ifndef FILCH_H
#define FILCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FILCH_VERSION 100 /* 0.1.0 */
#define FILCH_API __attribute__((visibility("default")))

/* ---- the runtime -------------------------------------------------------------------------------------------- */

typedef struct filch filch;

struct filch_options {       /* zero means default, so {0} is a full set of defaults */
	unsigned workers;    /* 0: the CPUs that this process may really use (affinity, cgroup quota) */
	unsigned max_blocking; /* threads for filch_block; 0: 64 */
	size_t stack_size;   /* bytes of stack a task may use; 0: 256 KiB */
	size_t max_pending;  /* tasks admitted by submit, group_submit and run, and not finished; 0: no limit */
	unsigned flags;      /* FILCH_PIN, ... */
	unsigned reserved[7]; /* zero */
};

#define FILCH_PIN 1u             /* bind each worker to a CPU */
#define FILCH_EPOLL 2u           /* do not use io_uring */
#define FILCH_REPORT_OVERFLOW 4u /* name the task and the stack size on stderr when a stack overflows */
#define FILCH_NO_ATFORK 8u       /* install no pthread_atfork handlers */

/*
 * Start a runtime. NULL options mean defaults. Any number of runtimes may live in a process.
 * NULL and errno: EINVAL (an unknown flag, a reserved field, more than 1,024 workers, a stack under 16 KiB or over
 * 1 GiB), ENOMEM, EAGAIN (no thread to be had), EMFILE.
 */
FILCH_API filch *filch_start(const struct filch_options *options);

/*
 * Stop a runtime and free it. Threads outside get -ESHUTDOWN from now on; every admitted task finishes, and may
 * itself still submit, fork, run and wait. No other call on rt may be in progress when it returns.
 * -EDEADLK from a task of rt, -EINVAL for NULL, -EALREADY if somebody else is stopping it.
 */
FILCH_API int filch_stop(filch *rt);

/* The runtime that the calling task runs on; NULL in a thread that is not a worker. */
FILCH_API filch *filch_here(void);

/* ---- tasks -------------------------------------------------------------------------------------------------- */

typedef void filch_fn(void *arg);

/*
 * Run fn(arg) as a task, some time soon. The argument stays the caller's; it must live until fn has used it.
 * -EAGAIN at max_pending, -ESHUTDOWN once stopping (tasks of rt excepted), -ENOMEM, -EINVAL for NULL rt or fn.
 */
FILCH_API int filch_submit(filch *rt, filch_fn *fn, void *arg);

/*
 * As filch_submit, and wait until it has run. Within a task of rt it is a plain nested call, never refused.
 */
FILCH_API int filch_run(filch *rt, filch_fn *fn, void *arg);

/* Many tasks, one wait, one error, one cancel. Owned by the caller; usable inside tasks and outside. */
typedef struct filch_group {
	uint64_t word_; /* all fields are the library's own */
	void *waiters_;
	filch *rt_;
	struct filch_group *parent_;
	int error_, reserved_;
} filch_group;

/*
 * Make a group ready for use. A group made inside a task that belongs to a group is nested in that one: cancelling
 * the outer cancels the inner too, so it must have been waited for before the outer group's wait returns.
 */
FILCH_API void filch_group_init(filch_group *g, filch *rt);

/* As filch_submit; -ECANCELED once the group is cancelled. */
FILCH_API int filch_group_submit(filch_group *g, filch_fn *fn, void *arg);

/*
 * Wait until every task of the group has finished. Returns 0, or the first error that was given to
 * filch_group_cancel, as it was given. After that the group may be destroyed, or used again after another init.
 * -EDEADLK from a task of the group itself.
 */
FILCH_API int filch_group_wait(filch_group *g);
FILCH_API int filch_group_wait_until(filch_group *g, int64_t deadline); /* -ETIMEDOUT too; then wait again */

/*
 * Cancel: the group takes no more tasks, and its tasks see filch_cancelled(). Those that were admitted still run
 * (they own their argument). Error 0 means -ECANCELED; the first one given stays until the next init.
 */
FILCH_API void filch_group_cancel(filch_group *g, int error);

/* Was the group of the calling task, or one that it is nested in, cancelled? Forks inherit the group. */
FILCH_API bool filch_cancelled(void);

/* ---- waiting ------------------------------------------------------------------------------------------------ */

#define FILCH_NEVER INT64_MAX

FILCH_API int64_t filch_now(void);            /* CLOCK_MONOTONIC in nanoseconds */
FILCH_API int64_t filch_after(int64_t ns);    /* the deadline that far from now; FILCH_NEVER if that overflows */
FILCH_API int filch_sleep_until(int64_t deadline); /* 0, also for a time that has passed */

/* Let others run first. Also makes the caller's own forks available to other workers. */
FILCH_API void filch_yield(void);

/*
 * Descriptors: as the system call of that name, with partial results as there, and a deadline. Any descriptor will
 * do, blocking or not (its flags stay as they are); a call never blocks a worker. No SIGPIPE from sockets.
 * Besides the system call's own errors: -ETIMEDOUT; -ECANCELED when filch_close was called on fd.
 * A descriptor that filch has seen is to be closed by filch_close.
 */
FILCH_API ssize_t filch_read(int fd, void *buf, size_t n, int64_t deadline);
FILCH_API ssize_t filch_write(int fd, const void *buf, size_t n, int64_t deadline);
FILCH_API ssize_t filch_recv(int fd, void *buf, size_t n, int flags, int64_t deadline);
FILCH_API ssize_t filch_send(int fd, const void *buf, size_t n, int flags, int64_t deadline);

FILCH_API ssize_t filch_readv(int fd, const struct iovec *iov, int n, int64_t deadline);
FILCH_API ssize_t filch_writev(int fd, const struct iovec *iov, int n, int64_t deadline);
FILCH_API ssize_t filch_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline);
FILCH_API ssize_t filch_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline);

/* Copy up to n bytes of a file to out. From *offset, which moves on; NULL: from where the file stands. */
FILCH_API ssize_t filch_sendfile(int out, int in, off_t *offset, size_t n, int64_t deadline);

/* Wait until fd is ready for one of these events of poll(2). Returns revents. */
FILCH_API int filch_poll(int fd, short events, int64_t deadline);

/* The new descriptor is non-blocking and close-on-exec. addr and len as for accept(2), or NULL. */
FILCH_API int filch_accept(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline);

/* After -ETIMEDOUT the attempt goes on: filch_close the socket, or call again to wait longer. */
FILCH_API int filch_connect(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline);

/* Close fd. Whoever waits on it gets -ECANCELED; it is really closed when the last call has left it. */
FILCH_API int filch_close(int fd);

/* ---- between tasks, and between tasks and threads ------------------------------------------------------------ */

/* Owned by the caller, and no destroy: they hold nothing. May be freed as soon as the last call has returned. */
typedef struct filch_mutex {
	uint64_t word_;
	void *owner_;
	void *waiters_;
} filch_mutex;
#define FILCH_MUTEX_INIT { 0, 0, 0 }

FILCH_API void filch_mutex_init(filch_mutex *m);
FILCH_API int filch_mutex_lock(filch_mutex *m, int64_t deadline); /* -EDEADLK for the caller's own */
FILCH_API int filch_mutex_trylock(filch_mutex *m);                /* -EBUSY */
FILCH_API void filch_mutex_unlock(filch_mutex *m);                /* by the task or thread that locked it */

typedef struct filch_cond {
	uint64_t word_;
	void *waiters_;
} filch_cond;
#define FILCH_COND_INIT { 0, 0 }

/*
 * A condition, to be looked at under a mutex. The wait gives the mutex up, and holds it again whatever it returns; as
 * always with these, look again afterwards.
 */
FILCH_API void filch_cond_init(filch_cond *c);
FILCH_API int filch_cond_wait(filch_cond *c, filch_mutex *m, int64_t deadline);
FILCH_API void filch_cond_signal(filch_cond *c);    /* wakes the one that waits longest */
FILCH_API void filch_cond_broadcast(filch_cond *c); /* wakes all */

typedef struct filch_sem {
	uint64_t word_;
	void *waiters_;
} filch_sem;
#define FILCH_SEM_INIT(n) { (uint64_t)(n) << 8, 0 }

FILCH_API void filch_sem_init(filch_sem *s, unsigned value);
FILCH_API int filch_sem_wait(filch_sem *s, int64_t deadline);
FILCH_API void filch_sem_post(filch_sem *s);

/*
 * A channel carries items of one size, in order, from any number of senders to any number of receivers. It holds
 * up to capacity items; capacity 0 is a rendezvous: a send completes when a receiver has taken the item.
 */
typedef struct filch_chan filch_chan;

FILCH_API filch_chan *filch_chan_new(size_t item_size, size_t capacity); /* NULL: no memory, or sizes overflow */
FILCH_API void filch_chan_free(filch_chan *ch);                         /* when nobody uses it any more */
FILCH_API int filch_chan_send(filch_chan *ch, const void *item, int64_t deadline); /* -EPIPE once closed */
FILCH_API int filch_chan_recv(filch_chan *ch, void *item, int64_t deadline); /* -EPIPE once closed and empty */
FILCH_API void filch_chan_close(filch_chan *ch); /* whoever waits gets -EPIPE; what is in it can be received */

/* ---- looking inside ----------------------------------------------------------------------------------------- */

struct filch_stats {
	uint64_t tasks;        /* tasks that have run (submit, group_submit, run from outside) */
	uint64_t published;    /* forks that became visible to others; the private ones are not counted */
	uint64_t steals;       /* items taken from another worker */
	uint64_t steal_misses; /* visits to another worker that found nothing */
	uint64_t parks;        /* times that a worker went to sleep */
	uint64_t wakes;        /* times that this worker woke another */
	uint64_t waits;        /* times that a task left its stack to wait */
	uint64_t pending;      /* tasks admitted and not finished (totals only) */
	uint64_t stacks;       /* stacks in existence (totals only) */
	uint64_t reserved[7];
};

/* Counters of one worker, or of all for worker -1. Never contended. -EINVAL for a worker that is not there. */
FILCH_API int filch_stats(filch *rt, int worker, struct filch_stats *out);
FILCH_API unsigned filch_workers(const filch *rt); /* 0 for NULL */
FILCH_API int filch_worker(void);                  /* the calling worker's number, -1 outside the pool */
FILCH_API int filch_version(void);                 /* FILCH_VERSION of the library that is linked */

/* ---- fork and join ------------------------------------------------------------------------------------------ */

/*
 *	FILCH_TASK(long, fib, frame, long, n)	result, name, name of the frame, then 0 to 6 pairs of type, name
 *	{
 *		if (n < 2)
 *			return n;
 *		fib_fork(&frame, n - 1);	may be taken by an idle worker
 *		long right = fib(frame, n - 2);	a plain call
 *		return fib_join(&frame) + right;	last forked, first joined
 *	}
 *	long r = fib_run(rt, 40);		from any thread or task
 *
 * FILCH_TASK makes everything static. FILCH_TASK_FORWARD(long, fib, long, n); goes ahead of mutual recursion.
 * FILCH_TASK_DECLARE(long, fib, long, n); in a header goes with FILCH_TASK_DEFINE(long, fib, frame, long, n) { ... } in
 * one .c. Each has a twin without a result: FILCH_VOID_TASK(sort, frame, int *, v, size_t, n), and so on.
 *
 * The arguments together, and the result, take at most 48 bytes, alignment 16, and are trivially copyable.
 * X_run(NULL, ...) runs serially in the caller, each fork at its join; so does any refusal (stopping, max_pending, no
 * memory). Within a task of rt, X_run is nested. The forks of a frame are joined by the function that made them, before it
 * returns. Undefined, and trapped where FILCH_DEBUG is defined: an unjoined fork, another task's join. Undefined: an
 * exception or longjmp that leaves a task or jumps over a fork.
 *
 * Algorithm: private task stacks with publication on demand, see doc/DESIGN.md.
 */

struct filch_slot_;
struct filch_stack_;

/* Passed by value and two words wide, so that it lives in registers; its address never escapes a task. */
typedef struct filch_frame {
	struct filch_stack_ *stack_;
	struct filch_slot_ *top_;
} filch_frame;

#define FILCH_SLOT_BYTES_ 48

/* A fork: what to call, and its arguments, later its result. A slot is one cache line. */
struct filch_slot_ {
	void (*run)(struct filch_slot_ *slot);
	void *state; /* the library's, from publication on: running, done, or who waits for it */
	char data[FILCH_SLOT_BYTES_] __attribute__((aligned(16)));
} __attribute__((aligned(64)));

/* The words of a stack that forks and joins look at. Idle workers overwrite limit and bound to be noticed. */
struct filch_stack_ {
	struct filch_slot_ *limit; /* a fork at or beyond it takes the slow path */
	struct filch_slot_ *bound; /* a join below it takes the slow path */
	struct filch_slot_ *top;   /* the first free slot, for whoever has no frame */
};

FILCH_API void filch_fork_slow_(struct filch_stack_ *stack, struct filch_slot_ *top) __attribute__((cold));
FILCH_API bool filch_join_slow_(struct filch_stack_ *stack, struct filch_slot_ *slot) __attribute__((cold));
FILCH_API filch_frame filch_enter_(struct filch_slot_ *slot);
FILCH_API void filch_finish_(struct filch_slot_ *slot);
FILCH_API void filch_run_(filch *rt, struct filch_slot_ *slot);

#ifdef FILCH_DEBUG
#define FILCH_CHECK_(x) ((x) ? (void)0 : __builtin_trap())
#else
#define FILCH_CHECK_(x) ((void)0)
#endif
#ifdef __cplusplus
#define FILCH_ASSERT_ static_assert
#define FILCH_ALIGNOF_ alignof
#else
#define FILCH_ASSERT_ _Static_assert
#define FILCH_ALIGNOF_ _Alignof
#endif
#define FILCH_UNUSED_ __attribute__((unused))
#define FILCH_INLINE_ static inline __attribute__((always_inline, unused))

/* Fork: the slot is written first and the limit compared after, so that the slow path can publish this very slot. */
FILCH_INLINE_ void filch_push_(filch_frame *frame, struct filch_slot_ *slot)
{
	frame->top_ = slot + 1;
	frame->stack_->top = slot + 1;
	if (__builtin_expect(slot >= __atomic_load_n(&frame->stack_->limit, __ATOMIC_RELAXED), 0))
		filch_fork_slow_(frame->stack_, slot + 1);
}

/* Join: true if somebody else has run the slot and left its result there, false if it is the caller's to run. */
FILCH_INLINE_ bool filch_pop_(filch_frame *frame, struct filch_slot_ *slot)
{
	FILCH_CHECK_(frame->stack_->top == frame->top_);
	frame->top_ = slot;
	frame->stack_->top = slot;
	return __builtin_expect(slot < __atomic_load_n(&frame->stack_->bound, __ATOMIC_RELAXED), 0) &&
	       filch_join_slow_(frame->stack_, slot);
}

/* What each number of pairs makes of itself: parameters, fields, stores into the slot, loads from it, names. */
#define FILCH_PARAMS_0_(z)
#define FILCH_PARAMS_1_(A, a, z) , A a
#define FILCH_PARAMS_2_(A, a, B, b, z) , A a, B b
#define FILCH_PARAMS_3_(A, a, B, b, C, c, z) , A a, B b, C c
#define FILCH_PARAMS_4_(A, a, B, b, C, c, D, d, z) , A a, B b, C c, D d
#define FILCH_PARAMS_5_(A, a, B, b, C, c, D, d, E, e, z) , A a, B b, C c, D d, E e
#define FILCH_PARAMS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) , A a, B b, C c, D d, E e, F f
#define FILCH_FIELDS_0_(z) char none;
#define FILCH_FIELDS_1_(A, a, z) A a;
#define FILCH_FIELDS_2_(A, a, B, b, z) A a; B b;
#define FILCH_FIELDS_3_(A, a, B, b, C, c, z) A a; B b; C c;
#define FILCH_FIELDS_4_(A, a, B, b, C, c, D, d, z) A a; B b; C c; D d;
#define FILCH_FIELDS_5_(A, a, B, b, C, c, D, d, E, e, z) A a; B b; C c; D d; E e;
#define FILCH_FIELDS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) A a; B b; C c; D d; E e; F f;
#define FILCH_STORE_(a) filch_io_->in.a = a;
#define FILCH_STORES_0_(z)
#define FILCH_STORES_1_(A, a, z) FILCH_STORE_(a)
#define FILCH_STORES_2_(A, a, B, b, z) FILCH_STORE_(a) FILCH_STORE_(b)
#define FILCH_STORES_3_(A, a, B, b, C, c, z) FILCH_STORES_2_(A, a, B, b, z) FILCH_STORE_(c)
#define FILCH_STORES_4_(A, a, B, b, C, c, D, d, z) FILCH_STORES_3_(A, a, B, b, C, c, z) FILCH_STORE_(d)
#define FILCH_STORES_5_(A, a, B, b, C, c, D, d, E, e, z) FILCH_STORES_4_(A, a, B, b, C, c, D, d, z) FILCH_STORE_(e)
#define FILCH_STORES_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) \
	FILCH_STORES_5_(A, a, B, b, C, c, D, d, E, e, z) FILCH_STORE_(f)
#define FILCH_LOAD_(a) filch_io_->in.a
#define FILCH_LOADS_0_(z)
#define FILCH_LOADS_1_(A, a, z) , FILCH_LOAD_(a)
#define FILCH_LOADS_2_(A, a, B, b, z) , FILCH_LOAD_(a), FILCH_LOAD_(b)
#define FILCH_LOADS_3_(A, a, B, b, C, c, z) FILCH_LOADS_2_(A, a, B, b, z), FILCH_LOAD_(c)
#define FILCH_LOADS_4_(A, a, B, b, C, c, D, d, z) FILCH_LOADS_3_(A, a, B, b, C, c, z), FILCH_LOAD_(d)
#define FILCH_LOADS_5_(A, a, B, b, C, c, D, d, E, e, z) FILCH_LOADS_4_(A, a, B, b, C, c, D, d, z), FILCH_LOAD_(e)
#define FILCH_LOADS_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) \
	FILCH_LOADS_5_(A, a, B, b, C, c, D, d, E, e, z), FILCH_LOAD_(f)

#define FILCH_NAMES_0_(z)
#define FILCH_NAMES_1_(A, a, z) , a
#define FILCH_NAMES_2_(A, a, B, b, z) , a, b
#define FILCH_NAMES_3_(A, a, B, b, C, c, z) , a, b, c
#define FILCH_NAMES_4_(A, a, B, b, C, c, D, d, z) , a, b, c, d
#define FILCH_NAMES_5_(A, a, B, b, C, c, D, d, E, e, z) , a, b, c, d, e
#define FILCH_NAMES_6_(A, a, B, b, C, c, D, d, E, e, F, f, z) , a, b, c, d, e, f

/* 0 to 6 for 3, 5, ... 15 arguments; any other number names a macro that does not exist. */
#define FILCH_PICK_(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, pairs, ...) pairs
#define FILCH_PAIRS_(...) \
	FILCH_PICK_(__VA_ARGS__, 6, odd_number_of_arguments, 5, odd_number_of_arguments, 4, odd_number_of_arguments, 3, \
		    odd_number_of_arguments, 2, odd_number_of_arguments, 1, odd_number_of_arguments, 0, \
		    odd_number_of_arguments, odd_number_of_arguments, ~)
#define FILCH_CAT_(a, b) FILCH_CAT2_(a, b)
#define FILCH_CAT2_(a, b) a##b
#define FILCH_LIST_(what, n, ...) FILCH_CAT_(FILCH_CAT_(what, n), _)(__VA_ARGS__)

/* The types and functions of one task; body is its prototype's linkage. */
#define FILCH_PROTOTYPES_(linkage, result, name, n, ...) \
	linkage FILCH_UNUSED_ result name(filch_frame FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)); \
	FILCH_INLINE_ void name##_fork(filch_frame *filch_frame_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)); \
	FILCH_INLINE_ result name##_join(filch_frame *filch_frame_); \
	FILCH_INLINE_ result name##_run(filch *filch_rt_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__))

#define FILCH_FITS_(name) \
	FILCH_ASSERT_(sizeof(union name##_io_) <= FILCH_SLOT_BYTES_ && FILCH_ALIGNOF_(union name##_io_) <= 16, \
		      "the arguments or the result of task " #name " take over 48 bytes: pass a pointer")

#define FILCH_COMMON_(result, name, n, ...) \
	FILCH_FITS_(name); \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_); \
	FILCH_INLINE_ void name##_put_(struct filch_slot_ *filch_slot_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		(void)filch_io_; \
		filch_slot_->run = name##_call_; \
		FILCH_LIST_(FILCH_STORES_, n, __VA_ARGS__) \
	} \
	FILCH_INLINE_ void name##_fork(filch_frame *filch_frame_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_; \
		name##_put_(filch_slot_ FILCH_LIST_(FILCH_NAMES_, n, __VA_ARGS__)); \
		filch_push_(filch_frame_, filch_slot_); \
	}

#define FILCH_VALUE_(linkage, result, name, n, ...) \
	union __attribute__((may_alias)) name##_io_ { \
		struct { \
			FILCH_LIST_(FILCH_FIELDS_, n, __VA_ARGS__) \
		} in; \
		result out; \
	}; \
	FILCH_PROTOTYPES_(linkage, result, name, n, __VA_ARGS__); \
	FILCH_COMMON_(result, name, n, __VA_ARGS__) \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		filch_frame filch_frame_ = filch_enter_(filch_slot_); \
		filch_io_->out = name(filch_frame_ FILCH_LIST_(FILCH_LOADS_, n, __VA_ARGS__)); \
		filch_finish_(filch_slot_); \
	} \
	FILCH_INLINE_ result name##_join(filch_frame *filch_frame_) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_ - 1; \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		FILCH_CHECK_(filch_slot_->run == name##_call_); \
		if (filch_pop_(filch_frame_, filch_slot_)) \
			return filch_io_->out; \
		return name(*filch_frame_ FILCH_LIST_(FILCH_LOADS_, n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ result name##_run(filch *filch_rt_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ filch_slot_; \
		name##_put_(&filch_slot_ FILCH_LIST_(FILCH_NAMES_, n, __VA_ARGS__)); \
		filch_run_(filch_rt_, &filch_slot_); \
		return ((union name##_io_ *)(void *)filch_slot_.data)->out; \
	} \
	linkage FILCH_UNUSED_ result name(filch_frame FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__))

#define FILCH_VOID_(linkage, name, n, ...) \
	union __attribute__((may_alias)) name##_io_ { \
		struct { \
			FILCH_LIST_(FILCH_FIELDS_, n, __VA_ARGS__) \
		} in; \
	}; \
	FILCH_PROTOTYPES_(linkage, void, name, n, __VA_ARGS__); \
	FILCH_COMMON_(void, name, n, __VA_ARGS__) \
	static FILCH_UNUSED_ void name##_call_(struct filch_slot_ *filch_slot_) \
	{ \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		filch_frame filch_frame_ = filch_enter_(filch_slot_); \
		(void)filch_io_; \
		name(filch_frame_ FILCH_LIST_(FILCH_LOADS_, n, __VA_ARGS__)); \
		filch_finish_(filch_slot_); \
	} \
	FILCH_INLINE_ void name##_join(filch_frame *filch_frame_) \
	{ \
		struct filch_slot_ *filch_slot_ = filch_frame_->top_ - 1; \
		union name##_io_ *filch_io_ = (union name##_io_ *)(void *)filch_slot_->data; \
		(void)filch_io_; \
		FILCH_CHECK_(filch_slot_->run == name##_call_); \
		if (!filch_pop_(filch_frame_, filch_slot_)) \
			name(*filch_frame_ FILCH_LIST_(FILCH_LOADS_, n, __VA_ARGS__)); \
	} \
	FILCH_INLINE_ void name##_run(filch *filch_rt_ FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__)) \
	{ \
		struct filch_slot_ filch_slot_; \
		name##_put_(&filch_slot_ FILCH_LIST_(FILCH_NAMES_, n, __VA_ARGS__)); \
		filch_run_(filch_rt_, &filch_slot_); \
	} \
	linkage FILCH_UNUSED_ void name(filch_frame FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__))

#define FILCH_BODY_(linkage, result, name, frame, n, ...) \
	linkage FILCH_UNUSED_ result name(FILCH_UNUSED_ filch_frame frame FILCH_LIST_(FILCH_PARAMS_, n, __VA_ARGS__))

#define FILCH_TASK(...) FILCH_TASK_(FILCH_PAIRS_(__VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_TASK_(n, result, name, frame, ...) \
	FILCH_VALUE_(static, result, name, n, __VA_ARGS__); \
	FILCH_BODY_(static, result, name, frame, n, __VA_ARGS__)
#define FILCH_VOID_TASK(...) FILCH_VOID_TASK_(FILCH_PAIRS_(void, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_TASK_(n, name, frame, ...) \
	FILCH_VOID_(static, name, n, __VA_ARGS__); \
	FILCH_BODY_(static, void, name, frame, n, __VA_ARGS__)

#define FILCH_TASK_FORWARD(...) FILCH_FORWARD_(FILCH_PAIRS_(~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_TASK_FORWARD(...) FILCH_FORWARD_(FILCH_PAIRS_(~, void, __VA_ARGS__), void, __VA_ARGS__, ~)
#define FILCH_FORWARD_(n, result, name, ...) FILCH_PROTOTYPES_(static, result, name, n, __VA_ARGS__)

#define FILCH_TASK_DECLARE(...) FILCH_DECLARE_(FILCH_PAIRS_(~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_DECLARE_(n, result, name, ...) FILCH_VALUE_(extern, result, name, n, __VA_ARGS__)
#define FILCH_VOID_TASK_DECLARE(...) FILCH_VOID_DECLARE_(FILCH_PAIRS_(~, ~, __VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_DECLARE_(n, name, ...) FILCH_VOID_(extern, name, n, __VA_ARGS__)

#define FILCH_TASK_DEFINE(...) FILCH_DEFINE_(FILCH_PAIRS_(__VA_ARGS__), __VA_ARGS__, ~)
#define FILCH_VOID_TASK_DEFINE(...) FILCH_DEFINE_(FILCH_PAIRS_(void, __VA_ARGS__), void, __VA_ARGS__, ~)
#define FILCH_DEFINE_(n, result, name, frame, ...) FILCH_BODY_(, result, name, frame, n, __VA_ARGS__)

/* ---- loops -------------------------------------------------------------------------------------------------- */

/* What to do for begin <= i < end; the range is never empty. */
typedef void filch_range_fn(size_t begin, size_t end, void *arg);

/*
 * Call body for parts of the range, until all of it is done. Parts have at most grain iterations; grain 0 chooses. From any
 * thread or task; serially, in the caller, where X_run would be.
 */
FILCH_API void filch_for(filch *rt, size_t begin, size_t end, size_t grain, filch_range_fn *body, void *arg);

struct filch_reducer {
	size_t size;                                                  /* bytes of a partial result */
	void (*init)(void *acc, void *arg);                           /* the neutral element */
	void (*fold)(void *acc, size_t begin, size_t end, void *arg); /* acc = acc op range */
	void (*combine)(void *left, const void *right, void *arg);    /* left = left op right; associative, in order */
};

/*
 * Fold the range into *out, of op->size bytes: parts are folded on their own and combined in order. Partial results are moved
 * as bytes. -EINVAL for a missing function or out. Without memory for partial results it folds serially.
 */
FILCH_API int filch_reduce(filch *rt, size_t begin, size_t end, size_t grain, const struct filch_reducer *op, void *arg,
			   void *out);

/*
 * Sort n items of size bytes, as qsort(3), and stable: equal items stay in order. Merge sort; needs as much memory again.
 * -ENOMEM (base is as it was), -EINVAL.
 */
FILCH_API int filch_sort(filch *rt, void *base, size_t n, size_t size, int (*compare)(const void *, const void *));

#ifdef __cplusplus
}
#endif

#endif
