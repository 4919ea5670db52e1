/* SPDX-License-Identifier: MIT */
/* A plain call takes the frame by value: the callee forks above it. */
/* expect: incompatible type|could not convert|cannot convert|no known conversion|no matching function */
#include <filch.h>

FILCH_TASK(long, half, frame, long, n)
{
	(void)frame;
	return n / 2;
}

FILCH_VOID_TASK(store, frame, long *, where, long, n)
{
	(void)frame;
	*where = n;
}

#ifdef MISUSE
FILCH_TASK(long, user, frame, long, n)
{
	return half(&frame, n);
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	return half(frame, n);
}
#endif
