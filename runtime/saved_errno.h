/* SPDX-License-Identifier: MIT */
#ifndef SAVED_ERRNO_H
#define SAVED_ERRNO_H

#include <errno.h>

/*
 * Put errno back after an allocation. volatile, since clang takes it that an allocation leaves errno
 * alone, and would drop the store.
 */
static inline void restore_errno(int saved)
{
	*(volatile int *)&errno = saved;
}

#endif
