/* SPDX-License-Identifier: MIT */
/*
 * Slabs of address space, cut into stacks as they are asked for: a guard, the usable bytes, the
 * record. Stacks are recycled and never given back before the runtime is freed. A slab is mapped as
 * a whole; where the kernel has lightweight guards a stack costs no mapping of its own, otherwise
 * two, and vm.max_map_count bounds their number to about 32,000.
 */
#include "stack.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "populate.h"
#include "sanitizer.h"

#define PAGE     ((size_t)4096)
#define GUARD    ((size_t)64 << 10) /* a function's frame can step over a small one */
#define PER_SLAB 64

struct slab {
	struct slab *next;
	char *base;
};

void filch_switch_(void **save, void *to);
void filch_begin_(void);

int stacks_init(struct stacks *pool, size_t stack_size)
{
	size_t record = (sizeof(struct stack) + 15) & ~(size_t)15;

	*pool = (struct stacks){ .size = GUARD + ((stack_size + record + PAGE - 1) & ~(PAGE - 1)) };
	return -pthread_mutex_init(&pool->lock, NULL);
}

static struct stack *record_of(struct stacks *pool, char *base)
{
	return (struct stack *)(void *)(base + pool->size -
	                                ((sizeof(struct stack) + 63) & ~(size_t)63));
}

static void stacks_free_slab(struct stacks *pool, struct slab *slab, char *end)
{
	for (char *base = slab->base; base < end; base += pool->size)
		sanitizer_forget(record_of(pool, base));
	sanitizer_unmap(slab->base, PER_SLAB * pool->size);
	munmap(slab->base, PER_SLAB * pool->size);
	free(slab);
}

void stacks_destroy(struct stacks *pool)
{
	char *end = pool->next; /* of the newest slab; the others are used up */

	while (pool->slabs) {
		struct slab *slab = pool->slabs;

		pool->slabs = slab->next;
		stacks_free_slab(pool, slab, end ? end : slab->base + PER_SLAB * pool->size);
		end = NULL;
	}
	pthread_mutex_destroy(&pool->lock);
}

static int add_slab(struct stacks *pool)
{
	size_t bytes = PER_SLAB * pool->size;
	struct slab *slab = malloc(sizeof(*slab));

	if (!slab)
		return -ENOMEM;
	slab->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slab->base == MAP_FAILED) {
		free(slab);
		return -ENOMEM;
	}
	madvise(slab->base, bytes, MADV_NOHUGEPAGE); /* or one touched page becomes two megabytes */
	slab->next = pool->slabs;
	pool->slabs = slab;
	pool->next = slab->base;
	pool->end = slab->base + bytes;
	return 0;
}

static void begin(struct stack *s)
{
	sanitizer_arrive(NULL);
	s->entry(s);
}

/* The first switch to it pops these registers and "returns" to filch_begin_. */
static void prepare(struct stack *s)
{
	void **sp = (void **)(void *)s;

#if defined(__x86_64__)
	sp -= 7;
	sp[3] = s;                        /* r12 */
	sp[4] = (void *)(uintptr_t)begin; /* rbx */
	sp[5] = NULL;                     /* rbp: the end of the chain of frames */
	sp[6] = (void *)(uintptr_t)filch_begin_;
#elif defined(__aarch64__)
	sp -= 20;
	sp[0] = NULL; /* x29: the end of the chain of frames */
	sp[1] = (void *)(uintptr_t)filch_begin_;
	sp[2] = (void *)(uintptr_t)begin;
	sp[3] = s;
#else
#error "no context switch for this processor: add a switch_*.S"
#endif
	s->sp = sp;
}

static struct stack *stack_new(struct stacks *pool, char *base, void (*entry)(struct stack *))
{
	struct stack *s = record_of(pool, base);

	populate((char *)((uintptr_t)s & ~(PAGE - 1)), PAGE);
	s->low = base + GUARD;
	s->size = (size_t)((char *)s - s->low);
	s->entry = entry;
	prepare(s);
	sanitizer_learn(s);
	return s;
}

/* Cut off the first few of a list. */
static struct stack *take_some(struct stack **list)
{
	struct stack *first = *list, *last = first;

	for (int i = 1; last && last->next && i < STACK_BATCH; i++)
		last = last->next;
	if (last) {
		*list = last->next;
		last->next = NULL;
	}
	return first;
}

struct stack *stacks_get(struct stacks *pool, void (*entry)(struct stack *))
{
	struct stack *s;
	char *base = NULL;

	pthread_mutex_lock(&pool->lock);
	s = take_some(&pool->free);
	if (!s && (pool->next != pool->end || !add_slab(pool)) && !guard(pool->next, GUARD)) {
		base = pool->next;
		pool->next += pool->size;
		count_up(&pool->count); /* relaxed inside: a statistic */
	}
	pthread_mutex_unlock(&pool->lock);
	return base ? stack_new(pool, base, entry) : s;
}

void stacks_put(struct stacks *pool, struct stack *list)
{
	struct stack *last = list;

	while (last->next)
		last = last->next;
	pthread_mutex_lock(&pool->lock);
	last->next = pool->free;
	pool->free = list;
	pthread_mutex_unlock(&pool->lock);
}

void stacks_each(struct stacks *pool, void (*visit)(struct stack *s, void *arg), void *arg)
{
	struct slab *slab;
	char *end;

	pthread_mutex_lock(&pool->lock);
	slab = pool->slabs;
	end = pool->next; /* of the newest; the others are used up, and none is ever freed */
	pthread_mutex_unlock(&pool->lock);
	for (; slab; slab = slab->next, end = NULL) {
		char *last = end ? end : slab->base + PER_SLAB * pool->size;

		for (char *base = slab->base; base < last; base += pool->size)
			visit(record_of(pool, base), arg);
	}
}

void stack_adopt_thread(struct stack *s)
{
	pthread_attr_t attr;
	void *low;

	if (!pthread_getattr_np(pthread_self(), &attr)) {
		pthread_attr_getstack(&attr, &low, &s->size);
		s->low = low;
		pthread_attr_destroy(&attr);
	}
	sanitizer_adopt(s);
}

void stack_switch(struct stack *from, struct stack *to)
{
	sanitizer_leave(from, to);
	filch_switch_(&from->sp, to->sp);
	sanitizer_arrive(from);
}
