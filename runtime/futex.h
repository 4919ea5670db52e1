/* SPDX-License-Identifier: MIT */
/*
 * The two futex calls that we use; errors are spurious wake-ups to the callers, and errno stays as
 * it was.
 */
#ifndef FUTEX_H
#define FUTEX_H

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
}

/* Sleep while *word is value, until the deadline (CLOCK_MONOTONIC; INT64_MAX: none). */
static inline void futex_wait(uint32_t *word, uint32_t value, int64_t deadline)
{
	struct timespec until = timespec_of(deadline < 0 ? 0 : deadline);
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value,
	        deadline == INT64_MAX ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
	errno = saved;
}

/* The word may be gone by now: then this wakes nobody, or somebody for no reason. */
static inline void futex_wake(uint32_t *word, int n)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
	errno = saved;
}

#endif
