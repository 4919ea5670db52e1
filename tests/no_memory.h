/* SPDX-License-Identifier: MIT */
/*
 * What allocates may fail: each call in turn, and all of them from some point on. The functions below stand before those of
 * the C library for the whole program.
 */
#ifndef FILCH_TESTS_NO_MEMORY_H
#define FILCH_TESTS_NO_MEMORY_H

#include "support.h"

#include <dlfcn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

static long calls, fail_at = -1, fail_on; /* the call to fail, and whether those after it do too */

/* The first calls come before a sanitizer is ready for them. */
#define EARLY __attribute__((no_sanitize("thread"), no_sanitize("address")))

static bool armed;

static bool fails(void)
{
	long n;

	if (get(&fail_at) < 0)
		return false;
	n = add(&calls, 1) - 1;
	return n == get(&fail_at) || (get(&fail_on) && n > get(&fail_at));
}

static EARLY void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

#define STAND_BEFORE(result, failure, error, name, parameters, arguments) \
	EARLY result name parameters \
	{ \
		static result(*real) parameters; \
		if (!real) { \
			void *found = next(#name); \
			real = *(result(**) parameters)(void *)&found; /* the same for all who come at once */ \
		} \
		if (armed && fails()) { \
			errno = error; \
			return failure; \
		} \
		return real arguments; \
	}

STAND_BEFORE(void *, NULL, ENOMEM, aligned_alloc, (size_t align, size_t n), (align, n))
STAND_BEFORE(void *, MAP_FAILED, ENOMEM, mmap, (void *at, size_t n, int prot, int flags, int fd, off_t offset),
	     (at, n, prot, flags, fd, offset))
STAND_BEFORE(int, EAGAIN, EAGAIN, pthread_create,
	     (pthread_t *restrict id, const pthread_attr_t *restrict attr, void *(*body)(void *), void *restrict arg),
	     (id, attr, body, arg))
STAND_BEFORE(int, -1, EMFILE, eventfd, (unsigned n, int flags), (n, flags))
STAND_BEFORE(int, -1, EMFILE, epoll_create1, (int flags), (flags))

#if !defined(UNDER_ASAN) && !defined(UNDER_TSAN) /* whose own these are */
STAND_BEFORE(void *, NULL, ENOMEM, malloc, (size_t n), (n))
STAND_BEFORE(void *, NULL, ENOMEM, calloc, (size_t n, size_t size), (n, size))
#endif

static inline void fail_from(long n, bool on)
{
	armed = true;
	set(&calls, 0);
	set(&fail_on, on);
	set(&fail_at, n);
}

static inline void fail_no_more(void)
{
	set(&fail_at, -1);
}

#endif
