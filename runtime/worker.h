/* SPDX-License-Identifier: MIT */
/*
 * A worker: a thread that runs the loop, and what belongs to it.
 */
#ifndef WORKER_H
#define WORKER_H

#include "block.h"
#include "deque.h"
#include "hold.h"
#include "inbox.h"
#include "node.h"
#include "park.h"
#include "places.h"
#include "poller.h"
#include "port.h"
#include "stack.h"
#include "timer.h"
#include "wait.h"
#include "watch.h"
#include "when_pool.h"

#define MAX_WORKERS 1024
#define LONG_FORKS  8

struct series { /* of thefts from one worker without a search: see crowd.c */
	struct worker *victim; /* or NULL */
	unsigned thefts;
	int64_t looked; /* the watcher's clock as it began */
	int64_t since;  /* the time then, or 0: nobody will ask */
	uint32_t tick;  /* the thief's tick then */
};

struct worker {
	/* Others write to these. */
	struct park park;
	struct inbox
		inbox; /* stacks that threads outside woke, and what finds no place elsewhere */
	struct port port[PORTS]; /* tasks from threads outside */
	struct deque forks; /* published forks: the owner takes the youngest, mostly; thieves the oldest */
	struct hold hold;   /* tasks that its present item has submitted: see hold.c */
	struct deque ready; /* tasks and stacks that may go on: everybody takes the oldest */
	struct timers timers;
	struct poller *poller;

	/* Others read these. */
	struct stack *current __attribute__((aligned(CACHE_LINE))); /* the stack it runs on */
	uint32_t tick;  /* items it has looked for: the watcher sees by it that nothing moves */
	int cpu;        /* where it last went to sleep, and when: see would_come_here() in wake.c */
	int64_t slept;
	uint32_t yield; /* the watcher asks for room: to be done at the next fork or join */
	uint32_t stuck; /* so it did, in vain; or it is away: see rescue() in steal.c */
	uint32_t wakers; /* who is using the thread's id: it does not end under them */
	uint64_t admitted, done; /* tasks submitted by this worker's tasks; tasks finished here */
	uint64_t whens_begun, whens_ended; /* waits without a stack: see when.c */
	struct filch_stats stats; /* but tasks, which are those done */

	/* Nobody else looks at these. */
	struct filch *rt;
	int *errno_at; /* its thread's errno, which a task must not look up across a wait */
	struct place place; /* all the same for those that are not bound */
	unsigned index;
	unsigned random;
	int64_t looked; /* the watcher's clock when it last looked at everything */
	uint32_t looked_tick; /* its tick then */
	int64_t pace; /* ns between two items until then */
	int64_t room;   /* so many items of the ready queue come before its forks */
	enum { NO_TURN, TURN_OF_FORK, TURN_OF_COMPUTATION } turn; /* and then these: see turn.c */
	unsigned looks; /* that are left, until a turn has ended or a fork was taken */
	unsigned forks_turns; /* that there have been: see needed_fork() in fork.c */
	bool rescues; /* the last fork that had its turn was to be a stuck worker's */
	bool gathers;   /* it brings in what became ready, and then wakes somebody for all of it */
	int64_t woke;   /* the watcher's clock as its last sleep ended */
	bool woken;     /* its last sleep was ended by others, not by its poller or a timer */
	unsigned patience; /* how long to look around before it sleeps: see search.c */
	unsigned batch; /* how many forks to publish next time */
	struct series series;  /* since its last search */
	unsigned unwanted; /* published for others and taken back: see fork.c */
	struct filch_slot_ *next; /* for the loop to run at once, out of everybody's sight */
	struct stack *spares;     /* stacks in hand */
	unsigned spare_count;
	struct slots *slots; /* slots in hand */
	struct nodes nodes;  /* memory for tasks in hand */
	struct whens whens;  /* and for those that wait without a stack */
	/* Whose tasks finished here and are not yet counted out: see group.c. */
	struct filch_group *group;
	uint64_t finished;                          /* how many */
	unsigned submits; /* that the present item has queued one by one */
	void (*after)(struct worker *w, void *arg); /* what to do first on the stack switched to */
	void *after_arg;
	struct stack thread; /* where it came in */
	pthread_t id;
	bool joinable; /* there is a thread to be joined; the resizer's */
};

struct filch {
	struct parking parking;
	struct filch *next; /* of those in this process: see atfork.c */
	/* Tasks from outside the pool. */
	uint64_t foreign_admitted __attribute__((aligned(CACHE_LINE))); /* but through no port */
	uint64_t refused; /* tasks that were counted and then refused */
	uint64_t pending; /* kept only when max_pending asks for it */
	uint64_t max_pending;
	uint64_t visitors; /* threads outside that are waking a stack: it is not freed under them */
	uint32_t stopping, cancelled;
	bool orphaned; /* in a child of fork(2): nobody finishes what was begun */
	/* How many workers are to run, those of the lowest numbers. None: the runtime has ended. */
	uint32_t active;
	uint32_t known; /* records of workers, at work or not: it only grows, see resize.c */
	filch_mutex resizing;
	unsigned flags;
	unsigned cpus;  /* that its threads may use */
	unsigned places; /* CPUs that workers are bound to; 0: to none */
	unsigned widest; /* how far two of them are apart, at most */
	struct place place[MAX_WORKERS];
	bool holds;     /* workers may hold tasks back */
	uint32_t stuck; /* workers, as the watcher saw it */
	uint32_t long_forks; /* from 0, stolen forks are short, to LONG_FORKS: see crowd.c */
	const struct poller_kind *pollers;
	size_t stack_size;
	struct watch watch;
	struct stacks stacks;
	struct node_pool nodes;
	struct when_pool whens;
	struct blocking blocking;
	struct worker *worker[MAX_WORKERS];
};

/*
 * The worker that runs the caller, or NULL. Hidden from the compiler, which would cache the address of
 * a thread-local, and after a wait the task may be in another thread: by assembler, or else by a call.
 */
#if defined(__x86_64__)
static inline struct worker *worker_here(void)
{
	struct worker *w;

	__asm__ volatile("mov{q worker_self_@gottpoff(%%rip), %0| %0, worker_self_@gottpoff[rip]}\n\t"
	                 "mov{q %%fs:(%0), %0| %0, fs:[%0]}"
	                 : "=r"(w)
	                 :
	                 : "memory");
	return w;
}
#else
struct worker *worker_here(void);
#endif

/* The calling worker if it is one of rt's, or NULL. */
static inline struct worker *worker_of(const struct filch *rt)
{
	struct worker *w = worker_here();

	return w && w->rt == rt ? w : NULL;
}

/* The stack of the calling task, or NULL outside the pool. */
static inline struct stack *stack_here(void)
{
	struct worker *w = worker_here();

	return w ? w->current : NULL;
}

/* The same, also in a thread that runs a function for that task (block.c). */
static inline struct stack *task_here(void)
{
	struct stack *s = stack_here();
	struct job *j = s ? NULL : job_here();

	return j ? j->stack : s;
}

/* It waits from now on, for the dump. To some milliseconds, and for the price of a load. */
static inline void stack_note_time(struct stack *s)
{
	/* Relaxed: a time. */
	store_relaxed(&s->since, load_relaxed(&s->rt->watch.now));
}

/* Is it to end its thread, as one too many, or since the runtime has ended? */
static inline bool leaving(const struct worker *w)
{
	return w->index >= load_seq(&w->rt->active);
}

static inline bool asleep(struct worker *w)
{
	uint32_t state = load_seq(&w->park.state);

	return state == PARKED || state == POLLING;
}

static inline bool away(struct worker *w)
{
	return load_seq(&w->park.state) == AWAY;
}

/* Set up a worker's record. 0, -ENOMEM, -EMFILE. */
int worker_init(struct worker *w, struct filch *rt, unsigned index);
void worker_destroy(struct worker *w);
void worker_main(struct worker *w);
void worker_loop(struct stack *s);            /* what every stack runs */
void worker_resume(struct filch_slot_ *item); /* what runs a stack that may go on */
void worker_hand_over(struct worker *w); /* as it leaves */
void worker_forget(void); /* in a child of fork(2): the caller is a plain thread */

/* resize.c */
int thread_create(pthread_t *id, void *(*main)(void *), void *arg); /* signals go elsewhere */
bool worker_left(struct worker *w);
int workers_set(struct filch *rt, unsigned n); /* as filch_resize(), by one at a time */
void workers_join(struct filch *rt);           /* all, as the runtime ends */

void runtime_end(struct filch *rt);

/*
 * Make an item available, at the end of a queue: on the calling worker, or from a thread that is
 * none of rt's workers.
 */
void ready_here(struct worker *w, struct filch_slot_ *item);
void ready_from_outside(struct filch *rt, struct filch_slot_ *item);
void ready_all(struct filch *rt, void **items, int64_t n); /* many, from anywhere */

/*
 * What w does next, when its present item has ended or its stack was left: nobody sees it, and nobody
 * is woken for it. worker.c.
 */
void ready_next(struct worker *w, struct filch_slot_ *item);

/*
 * From outside, when the item may end the call that it belongs to: whoever made that call may then
 * stop the runtime, so who brings the item is counted before it can be found, and filch_stop()
 * waits for it.
 */
void ready_and_leave(struct filch *rt, struct filch_slot_ *item);

/* Whichever of these the caller needs. */
void ready_anywhere(struct filch *rt, struct filch_slot_ *item);

/* Let a stack that waited go on, from anywhere. Its runtime may end as soon as it does. */
void make_ready(struct stack *s);

/* Wake a sleeper if one is needed; after something became available. */
void wake_some(struct filch *rt);

/* Wake this one, if it sleeps. */
bool wake(struct filch *rt, struct worker *w);

static inline void wake_one(struct filch *rt)
{
	if (parking_wants_wake(&rt->parking))
		wake_some(rt);
}

/*
 * Leave the calling task's stack and carry on with the loop on another. after(worker, arg) is
 * called there, when the stack that was left can be resumed, and hands it to whoever will do so.
 * Returns when it has been resumed.
 */
void leave_stack(struct worker *w, void (*after)(struct worker *w, void *arg), void *arg);

/* The same, but surely to the loop and not to a stack that is ready. So after may call ready_next(). */
void leave_for_loop(struct worker *w, void (*after)(struct worker *w, void *arg), void *arg);

/* One of its published forks that no computation which has made room will come to; or NULL. fork.c. */
struct filch_slot_ *needed_fork(struct worker *w);

/*
 * Make the private forks of the calling stack available to others. -ENOMEM: some are still private.
 */
int publish_private(struct worker *w, struct stack *s); /* fork.c */

static inline int publish_forks(struct worker *w, struct stack *s)
{
	return s->slots ? publish_private(w, s) : 0;
}

/* Lend a stack slots, or (NULL) take them back; by its owner, without a frame. fork.c. */
void set_slots(struct stack *s, struct slots *slots);

/*
 * Let what is ready run first, before the worker's forks too, unlike filch_yield(). Private forks
 * stay private: who takes the calling stack has them too. time.c.
 */
void make_room(struct worker *w);

/* Bring in what became ready outside of the queues: inbox, timers, poller. */
void gather(struct worker *w);

#define SOON ((int64_t)200000) /* ns: some ten times what waking somebody takes of both CPUs */

/* Does it have more than it will have done soon, with so many items that it has taken from its queues? */
static inline bool needs_help(const struct worker *w, int64_t in_hand)
{
	int64_t n = in_hand + deque_size(&w->ready) + deque_size(&w->forks);

	return n > 1 && n * w->pace > SOON;
}

struct filch_slot_ *own_item(struct worker *w); /* what the worker does next, or NULL */

#define LOOKS 3 /* in a turn: with more the others wait for longer, with fewer a short task does */

/* Of that, what comes before forks; and as a computation makes room. turn.c. */
struct filch_slot_ *before_forks(struct worker *w);

/* True: this one, which was taken to come before forks, has made room, and is queued again. */
bool goes_behind(struct worker *w, struct filch_slot_ *item);
void begin_turn(struct worker *w);

bool is_stack(const struct filch_slot_ *item); /* one that may go on */

/*
 * Do not let the words of a stack stand for anything: its next fork and its next join take the slow
 * path.
 */
static inline void poison(struct stack *s)
{
	/*
	 * Relaxed: the stack's next owner reads them after the switch. Pairs with the loads in
	 * filch_task.h.
	 */
	store_relaxed(&s->words.limit, (struct filch_slot_ *)0);
	store_relaxed(&s->words.bound, (struct filch_slot_ *)UINTPTR_MAX);
}

/*
 * Of what a worker holds back: queue it, and take it from a worker that may be computing (up to
 * HOLD items; returns how many). task.c.
 */
void queue_held(struct worker *w);
int64_t raid_held(struct worker *victim, void **items);

/* Before the present item ends or leaves its stack. */
static inline void let_go(struct worker *w)
{
	if (w->hold.mine)
		queue_held(w);
}

void group_settle(
	struct worker *w); /* group.c: count out what finished, before anything else is done */

struct worker *host_of_thread(struct filch *rt); /* whose inbox the calling thread uses */
struct port *enter_port(struct filch *rt);       /* one that is free, of the same worker, or NULL */
bool runtime_quiet(struct filch *rt);

#endif
