/* SPDX-License-Identifier: MIT */
/* A fork takes the address of the frame: it moves its top. */
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
	half_fork(frame, n);
	return half_join(&frame);
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	half_fork(&frame, n);
	return half_join(&frame);
}
#endif
