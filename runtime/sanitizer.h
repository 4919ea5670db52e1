/* SPDX-License-Identifier: MIT */
/*
 * What AddressSanitizer, ThreadSanitizer and valgrind must be told about stacks. Nothing, in an
 * ordinary build but for valgrind's registration, which is a few no-ops.
 */
#ifndef SANITIZER_H
#define SANITIZER_H

#include "stack.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WITH_TSAN 1
#endif
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define WITH_VALGRIND 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* A new stack. */
static inline void sanitizer_learn(struct stack *s)
{
	(void)s;
#ifdef WITH_TSAN
	s->fiber = __tsan_create_fiber(0);
#endif
#ifdef WITH_VALGRIND
	s->valgrind = VALGRIND_STACK_REGISTER(s->low, s->low + s->size);
#endif
}

/* The calling thread's own stack. */
static inline void sanitizer_adopt(struct stack *s)
{
	(void)s;
#ifdef WITH_TSAN
	s->fiber = __tsan_get_current_fiber();
#endif
}

/* A stack that will never run again. */
static inline void sanitizer_forget(struct stack *s)
{
	(void)s;
#ifdef WITH_TSAN
	if (s->fiber)
		__tsan_destroy_fiber(s->fiber);
#endif
#ifdef WITH_VALGRIND
	VALGRIND_STACK_DEREGISTER(s->valgrind);
#endif
}

/* Frames that were never unwound leave poisoned shadow behind. */
static inline void sanitizer_unmap(void *base, size_t n)
{
	(void)base;
	(void)n;
#ifdef WITH_ASAN
	__asan_unpoison_memory_region(base, n);
#endif
}

static inline void sanitizer_leave(struct stack *from, struct stack *to)
{
	(void)from;
	(void)to;
#ifdef WITH_ASAN
	__sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
#endif
#ifdef WITH_TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
}

/* Now on s; NULL: for the first time. */
static inline void sanitizer_arrive(struct stack *s)
{
	(void)s;
#ifdef WITH_ASAN
	__sanitizer_finish_switch_fiber(s ? s->fake : NULL, NULL, NULL);
#endif
}

/*
 * Order for ThreadSanitizer what is ordered out of its sight: by the kernel, what was done before a
 * descriptor was handed to it before its events.
 */
extern char filch_watched_;

static inline void sanitizer_before(char *tag)
{
	(void)tag;
#ifdef WITH_TSAN
	__tsan_release(tag); /* release: for the tool alone; pairs with sanitizer_after() */
#endif
}

static inline void sanitizer_after(char *tag)
{
	(void)tag;
#ifdef WITH_TSAN
	__tsan_acquire(tag); /* acquire: for the tool alone; pairs with sanitizer_before() */
#endif
}

#endif
