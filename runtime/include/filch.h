/* SPDX-License-Identifier: MIT */
/*
 * filch: a lock-free work-stealing task runtime.
 *
 * A runtime is a number of worker threads. It runs tasks: plain calls of your functions, on
 * stacks of their own, so that a task may fork others, and may wait for a socket, a timer or
 * another task, without holding a thread. In reading order:
 *
 *	the runtime		filch_start, filch_stop, filch_cancel, filch_resize
 *	tasks and groups	filch_submit, filch_run, filch_group_*
 *	waiting			filch_sleep_until, filch_read, filch_submit_when, ...
 *	between tasks		filch_mutex, filch_cond, filch_sem, filch_chan
 *	looking inside		filch_stats, filch_dump
 *	fork and join, loops	FILCH_TASK, filch_for, filch_reduce, filch_sort
 *
 * Conventions. Functions return 0, or a count, or a negative errno value; errno itself is left
 * alone. The library never prints, exits or aborts on a user's mistake. Times are nanoseconds on
 * CLOCK_MONOTONIC. Whatever waits takes an absolute deadline, nearly always last (FILCH_NEVER for
 * none; 0 asks without waiting); it
 * succeeds if the thing is ready, even when the deadline has passed, and answers -ETIMEDOUT
 * otherwise; or -ECANCELED, in a task that was cancelled (filch_group_cancel, filch_cancel); or
 * -ENOMEM, in a task with forks in flight that there is no memory to run meanwhile.
 * Everything may be called from any thread: a wait suspends the calling task, or blocks the calling
 * thread where there is no task.
 *
 * What belongs to the thread and not to the task: a task that waits, forks or joins may go on in
 * another thread, so what it kept from before is no longer its own: the address of a thread_local,
 * of errno among them, a pthread lock, a C++ catch block, a changed floating-point environment. Do
 * not hold any of these across a wait, a fork or a join.
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

/* ---- the runtime ----------------------------------------------------------------------- */

typedef struct filch filch;

struct filch_options {       /* zero means default, so {0} is a full set of defaults */
	/* 0: the CPUs that this process may really use (affinity, cgroup quota). */
	unsigned workers;
	unsigned max_blocking; /* threads for filch_block; 0: 64 */
	size_t stack_size;   /* bytes of stack a task may use; 0: 256 KiB */
	/* Tasks admitted by submit, group_submit and run, and not finished; 0: no limit. */
	size_t max_pending;
	unsigned flags;      /* FILCH_PIN, ... */
	unsigned reserved[7]; /* zero */
};

/* Bind each worker to a CPU; those that share a cache take from each other first. */
#define FILCH_PIN 1u
#define FILCH_EPOLL 2u           /* do not use io_uring */
/* Name the task and the stack size on stderr when a stack overflows, or its forks in flight do. */
#define FILCH_REPORT_OVERFLOW 4u
#define FILCH_NO_ATFORK 8u       /* install no pthread_atfork handlers */

/*
 * Start a runtime. NULL options mean defaults. Any number of runtimes may live in a process. NULL
 * and errno: EINVAL (an unknown flag, a reserved field, more than 1,024 workers, a stack under 16
 * KiB or over 1 GiB), ENOMEM, EAGAIN (no thread to be had), EMFILE.
 */
FILCH_API filch *filch_start(const struct filch_options *options);

/*
 * Stop a runtime and free it. Threads outside get -ESHUTDOWN from now on; every admitted task
 * finishes, and may itself still submit, fork, run and wait; a filch_submit_when that is not yet
 * ready runs with -ECANCELED. No other call on rt may be in progress
 * when it returns. -EDEADLK from a task of rt, -EINVAL for NULL, -EALREADY if somebody else is
 * stopping it.
 */
FILCH_API int filch_stop(filch *rt);

/*
 * Cancel every wait of rt's tasks, those that wait now and those that would: for a stop in bounded
 * time. See filch_group_cancel for which waits these are. What waits in filch_submit_when runs with
 * -ECANCELED. Tasks are admitted and run as before; nothing undoes it. From any thread or task;
 * takes as long as a look at every stack that rt has. NULL is nothing to do.
 */
FILCH_API void filch_cancel(filch *rt);

/*
 * Change the number of workers of a running runtime, up or down, from any thread or task. Nothing
 * is lost or refused meanwhile. It returns when new workers are there; one that is too many first
 * ends what it is running, up to its next wait, fork or join. Concurrent calls happen one after the
 * other. -EINVAL for NULL, 0 or more than 1,024; -ENOMEM, -EMFILE (no descriptor) and -EAGAIN (no
 * thread to be had) leave the number as it was; -ESHUTDOWN once stopping.
 */
FILCH_API int filch_resize(filch *rt, unsigned workers);

/* The runtime that the calling task runs on; NULL where there is no task. */
FILCH_API filch *filch_here(void);

/* ---- tasks ----------------------------------------------------------------------------- */

typedef void filch_fn(void *arg);

/*
 * Run fn(arg) as a task, some time soon. The argument stays the caller's; it must live until fn has
 * used it. -EAGAIN at max_pending, -ESHUTDOWN once stopping (tasks of rt excepted), -ENOMEM,
 * -EINVAL for NULL rt or fn. A task that finds no stack begins when others end: before Linux 6.13
 * some 32,000 can wait at once (vm.max_map_count: each takes two mappings), since then as many as
 * there is memory for.
 */
FILCH_API int filch_submit(filch *rt, filch_fn *fn, void *arg);

/*
 * As filch_submit, and wait until it has run. Within a task of rt it is a plain nested call, never
 * refused.
 */
FILCH_API int filch_run(filch *rt, filch_fn *fn, void *arg);

/*
 * Many tasks, one wait, one error, one cancel. Owned by the caller; usable inside tasks and
 * outside.
 */
typedef struct filch_group {
	uint64_t word_; /* all fields are the library's own */
	void *waiters_;
	filch *rt_;
	struct filch_group *parent_;
	int error_, reserved_;
} filch_group;

/*
 * Make a group ready for use. A group made inside a task that belongs to a group is nested in that
 * one: cancelling the outer cancels the inner too, so it must have been waited for before the outer
 * group's wait returns.
 */
FILCH_API void filch_group_init(filch_group *g, filch *rt);

/*
 * As filch_submit; -ECANCELED once the group is cancelled. Tasks of the group may submit to it
 * while others wait for it: those are waited for too.
 */
FILCH_API int filch_group_submit(filch_group *g, filch_fn *fn, void *arg);

/*
 * Wait until every task of the group has finished. Returns 0, or the first error that was given to
 * filch_group_cancel, as it was given. After that the group may be destroyed, or used again after
 * another init. -EDEADLK from a task of the group itself, or of one nested in it.
 */
FILCH_API int filch_group_wait(filch_group *g);

/* -ETIMEDOUT too; then wait again. */
FILCH_API int filch_group_wait_until(filch_group *g, int64_t deadline);

/*
 * Cancel: the group takes no more tasks, and its tasks see filch_cancelled(). Those that were
 * admitted still run (they own their argument). Error 0 means -ECANCELED; the first one given stays
 * until the next init.
 *
 * Its tasks, and those of groups nested in it, do not wait any more: sleeping, descriptors,
 * semaphores, channels and conditions (with the mutex held again) answer -ECANCELED, also those
 * that wait already, where they would have to wait; what can finish without does. But locking a
 * mutex, joining, filch_run, filch_block and waiting for a group go on as ever, so that cleaning up
 * works. And a loop that never has to wait goes on until it looks at filch_cancelled(). From any
 * thread or task; takes as long as a look at every stack of the process.
 */
FILCH_API void filch_group_cancel(filch_group *g, int error);

/*
 * Was the group of the calling task cancelled, or one that it is nested in, or the runtime? Forks
 * inherit the group.
 */
FILCH_API bool filch_cancelled(void);

/* ---- waiting --------------------------------------------------------------------------- */

#define FILCH_NEVER INT64_MAX

FILCH_API int64_t filch_now(void); /* CLOCK_MONOTONIC in nanoseconds */

/* The deadline that far from now; FILCH_NEVER if that overflows. */
FILCH_API int64_t filch_after(int64_t ns);
FILCH_API int filch_sleep_until(int64_t deadline); /* 0, also for a time that has passed */

/* Let others run first. Also makes the caller's own forks available to other workers. */
FILCH_API void filch_yield(void);

/*
 * Descriptors: as the system call of that name on a non-blocking descriptor, so a write may take
 * less than n, but with a deadline to wait for in place of EAGAIN; MSG_DONTWAIT and MSG_WAITALL
 * change nothing. Any descriptor will do, blocking or not (its flags stay as they are); a call
 * never blocks a worker. What a file has not in memory is read and written the way of filch_block.
 * No SIGPIPE from sockets. Besides the system call's own errors: -ETIMEDOUT; -ECANCELED when
 * filch_close was called on fd, or the task was cancelled.
 *
 * A descriptor that filch has seen is to be closed by filch_close; not by close(2), fclose(3), a
 * dup2(2) onto it or a library. Otherwise its file may stay open, and the next one of that number
 * is taken for it. What a library will close, filch gets a dup(2) of.
 */
FILCH_API ssize_t filch_read(int fd, void *buf, size_t n, int64_t deadline);
FILCH_API ssize_t filch_write(int fd, const void *buf, size_t n, int64_t deadline);
FILCH_API ssize_t filch_recv(int fd, void *buf, size_t n, int flags, int64_t deadline);
FILCH_API ssize_t filch_send(int fd, const void *buf, size_t n, int flags, int64_t deadline);

FILCH_API ssize_t filch_readv(int fd, const struct iovec *iov, int n, int64_t deadline);
FILCH_API ssize_t filch_writev(int fd, const struct iovec *iov, int n, int64_t deadline);
FILCH_API ssize_t filch_recvmsg(int fd, struct msghdr *message, int flags, int64_t deadline);
FILCH_API ssize_t filch_sendmsg(int fd, const struct msghdr *message, int flags, int64_t deadline);

/*
 * Copy up to n bytes of a file to out. From *offset, which moves on; NULL: from where the file
 * stands.
 */
FILCH_API ssize_t filch_sendfile(int out, int in, off_t *offset, size_t n, int64_t deadline);

/*
 * Wait until fd is ready for one of these events of poll(2). Returns revents. -EPERM for a file that
 * is not ready for them, and never will be.
 */
FILCH_API int filch_poll(int fd, short events, int64_t deadline);

/* The new descriptor is non-blocking and close-on-exec. addr and len as for accept(2), or NULL. */
FILCH_API int filch_accept(int fd, struct sockaddr *addr, socklen_t *len, int64_t deadline);

/* After -ETIMEDOUT the attempt goes on: filch_close the socket, or call again to wait longer. */
FILCH_API int filch_connect(int fd, const struct sockaddr *addr, socklen_t len, int64_t deadline);

typedef void filch_ready_fn(int revents, void *arg);

/*
 * Run fn(revents, arg) as a task of rt once fd is ready for one of these events of poll(2). Until
 * then it has no stack, only some 128 bytes, and max_pending does not count it: for descriptors
 * that are idle for long, and many. fn may wait as any task. Its first argument is revents, or
 * -ETIMEDOUT; or -ECANCELED when filch_close was called on fd, or rt was stopped or cancelled,
 * before it was ready; or, rarely, another error for which nobody can wait on fd. arg stays the
 * caller's. Nothing is read from fd. If the call answers 0, fn runs exactly once; otherwise never:
 * -EINVAL for NULL rt or fn, -EBADF, -ECANCELED while fd is being closed, -ENOMEM, -ENOSPC (the
 * limit of what a user may watch), -EPERM for events that such a file never has, -ESHUTDOWN once rt
 * is stopping (tasks of rt excepted).
 */
FILCH_API int filch_submit_when(filch *rt, int fd, short events, int64_t deadline,
				filch_ready_fn *fn, void *arg);

/*
 * Close fd, any descriptor. Whoever waits on it gets -ECANCELED; it is really closed when the last
 * call has left it, which this one does not wait for. -EBADF.
 */
FILCH_API int filch_close(int fd);

/*
 * Run fn(arg), which may block: a call of the kernel or of another library that filch cannot wait
 * for. It runs as the calling task, but on a thread beside the workers, while the task waits. There
 * are filch_options.max_blocking of these threads at the most, and beyond that it queues; those
 * that are not used go away after some seconds. A thread that is no worker runs fn itself.
 *
 * Within fn, filch_here(), filch_cancelled() and the ownership of mutexes are the task's, and
 * filch_worker() is -1. Its waits block the thread, and are cancelled as the task's (those on
 * descriptors within 50 ms); submitting works as ever, X_run goes to the workers and blocks the
 * thread. filch_block itself is not cancelled, and filch_stop waits for it.
 *
 * 0 when fn has returned; -EINVAL for NULL, -EAGAIN when no thread can be had, -ENOMEM: then fn has
 * not run.
 */
FILCH_API int filch_block(filch_fn *fn, void *arg);

/* ---- between tasks, and between tasks and threads -------------------------------------- */

/*
 * Owned by the caller, and no destroy: they hold nothing. May be freed as soon as the last call has
 * returned.
 */
typedef struct filch_mutex {
	uint64_t word_;
	void *owner_;
	void *waiters_;
} filch_mutex;
#define FILCH_MUTEX_INIT { 0, 0, 0 }

FILCH_API void filch_mutex_init(filch_mutex *m);

/* -EDEADLK for the caller's own. */
FILCH_API int filch_mutex_lock(filch_mutex *m, int64_t deadline);
FILCH_API int filch_mutex_trylock(filch_mutex *m); /* -EBUSY */

/* By the task or thread that locked it; undefined for others, as a filch_cond_wait without it. */
FILCH_API void filch_mutex_unlock(filch_mutex *m);

typedef struct filch_cond {
	uint64_t word_;
	void *waiters_;
} filch_cond;
#define FILCH_COND_INIT { 0, 0 }

/*
 * A condition, to be looked at under a mutex. The wait gives the mutex up, and holds it again
 * whatever it returns; as always with these, look again afterwards.
 */
FILCH_API void filch_cond_init(filch_cond *c);
FILCH_API int filch_cond_wait(filch_cond *c, filch_mutex *m, int64_t deadline);
FILCH_API void filch_cond_signal(filch_cond *c); /* wakes the one that waits longest */
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
 * A channel carries items of one size, in order, from any number of senders to any number of
 * receivers. It holds up to capacity items; capacity 0 is a rendezvous: a send completes when a
 * receiver has taken the item.
 */
typedef struct filch_chan filch_chan;

/* NULL: no memory, or sizes overflow. */
FILCH_API filch_chan *filch_chan_new(size_t item_size, size_t capacity);

/* When nobody uses it any more. */
FILCH_API void filch_chan_free(filch_chan *ch);

/* -EPIPE once closed. */
FILCH_API int filch_chan_send(filch_chan *ch, const void *item, int64_t deadline);

/* -EPIPE once closed and empty. */
FILCH_API int filch_chan_recv(filch_chan *ch, void *item, int64_t deadline);

/* Whoever waits gets -EPIPE; what is in it can be received. */
FILCH_API void filch_chan_close(filch_chan *ch);

/* ---- looking inside -------------------------------------------------------------------- */

struct filch_stats {
	uint64_t tasks;        /* tasks that have run (submit, group_submit, run from outside) */
	/* Forks that became visible to others; the private ones are not counted. */
	uint64_t published;
	uint64_t steals;       /* items taken from another worker */
	uint64_t steal_misses; /* visits to another worker that found nothing */
	uint64_t parks;        /* times that a worker went to sleep */
	uint64_t wakes;        /* times that this worker woke another */
	uint64_t waits;        /* times that a task left its stack to wait */
	uint64_t pending;      /* tasks admitted and not finished (totals only) */
	uint64_t stacks;       /* stacks in existence (totals only) */
	uint64_t reserved[7]; /* the first of the totals: 1 where io_uring is used, 0: epoll */
};

/*
 * Counters of one worker, 0 to filch_workers() - 1, or the totals for worker -1, which include
 * workers that have left since. Never contended. -EINVAL for a worker that is not there.
 */
FILCH_API int filch_stats(filch *rt, int worker, struct filch_stats *out);

/*
 * Write a line to fd for every task of rt that waits: its function, what for, since when (to some
 * milliseconds), until when. For a program that hangs: from any thread or task, at any time; it
 * waits for nobody but write(2). The lines are for people and may change. 0; -EINVAL for NULL,
 * -ESHUTDOWN in a child of fork(2), or an error of write(2).
 */
FILCH_API int filch_dump(filch *rt, int fd);

/* How many workers there are, or will be after the last filch_resize; 0 for NULL. */
FILCH_API unsigned filch_workers(const filch *rt);

/* The calling worker's number, -1 outside the pool. */
FILCH_API int filch_worker(void);
FILCH_API int filch_version(void); /* FILCH_VERSION of the library that is linked */

/* ---- fork and join --------------------------------------------------------------------- */

/*
 *	FILCH_TASK(long, fib, frame, long, n)	result, name, frame, type, name, ...
 *	{
 *		if (n < 2)
 *			return n;
 *		fib_fork(&frame, n - 1);	may be taken by an idle worker
 *		long right = fib(frame, n - 2);	a plain call
 *		return fib_join(&frame) + right;	last forked, first joined
 *	}
 *	long r = fib_run(rt, 40);		from any thread or task
 *
 * FILCH_TASK makes everything static. FILCH_TASK_FORWARD(long, fib, long, n); goes ahead of it for
 * mutual recursion. FILCH_TASK_DECLARE(long, fib, long, n); in a header goes with
 * FILCH_TASK_DEFINE(long, fib, frame, long, n) { ... } in one .c. Each has a twin without a result:
 * FILCH_VOID_TASK(sort, frame, int *, v, size_t, n), and so on.
 *
 * There are up to 6 arguments, each a type name without const (a typedef for arrays and functions).
 * Together they, and the result, take at most 48 bytes, alignment 16, and are trivially copyable.
 * X_run(NULL, ...) runs serially in the caller, each fork at its join, which costs some 2 us to
 * begin with; so does any refusal (stopping, max_pending, no memory). Within a task of rt, X_run is
 * nested. The forks of a frame are joined by the function that made them, before it returns. Four
 * million forks of one stack may be unjoined at once, and 60 in an X_run that found no memory: one
 * more ends the process, as a stack that overflows. Undefined, and trapped where FILCH_DEBUG is
 * defined: an unjoined fork, another task's join. Undefined: an exception or longjmp that leaves a
 * task or jumps over a fork.
 *
 * How these macros work is in filch_task.h; the algorithm in doc/DESIGN.md and fork.c.
 */

#include "filch_task.h"

/* ---- loops ----------------------------------------------------------------------------- */

/* What to do for begin <= i < end; the range is never empty. */
typedef void filch_range_fn(size_t begin, size_t end, void *arg);

/*
 * Call body for parts of the range, until all of it is done. Parts have at most grain iterations,
 * and each may wait for any other; if they are all of it there is one part, and the caller does it.
 * Grain 0 chooses the parts by the clock: then none may wait for a later one, and the caller may do
 * the first of them, and all of a short loop, itself. Nothing is done where begin >= end; everything
 * is, in a group that is cancelled too. From any thread or task; serially, in the caller, where
 * X_run would be.
 */
FILCH_API void filch_for(filch *rt, size_t begin, size_t end, size_t grain, filch_range_fn *body,
			 void *arg);

struct filch_reducer {
	/* Bytes of a partial result. */
	size_t size;
	void (*init)(void *acc, void *arg);                           /* the neutral element */
	void (*fold)(void *acc, size_t begin, size_t end, void *arg); /* acc = acc op range */
	/* Left = left op right; associative, in order. */
	void (*combine)(void *left, const void *right, void *arg);
};

/*
 * Fold the range into *out, of op->size bytes, as filch_for goes through it. *out begins with
 * init(), and stays so for an empty range. What others fold beside the caller is folded apart and
 * combined in order. -EINVAL for a missing function or out. Where there is no memory for a partial
 * result, there is none: parts follow each other then, and none may wait for a later one.
 */
FILCH_API int filch_reduce(filch *rt, size_t begin, size_t end, size_t grain,
			   const struct filch_reducer *op, void *arg, void *out);

/*
 * Sort n items of size bytes, as qsort(3), and stable: equal items stay in order. Merge sort; needs
 * as much memory again, but none for items that are in order already, or in the opposite one.
 * Whatever compare answers, no item is lost; what it is given is aligned as in base, up to 64
 * bytes. -ENOMEM (base is as it was), -EINVAL without compare, for items without base or size, or
 * for more bytes than there can be.
 */
FILCH_API int filch_sort(filch *rt, void *base, size_t n, size_t size,
			 int (*compare)(const void *, const void *));

#ifdef __cplusplus
}
#endif

#endif
