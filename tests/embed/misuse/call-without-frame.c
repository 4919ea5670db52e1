/* SPDX-License-Identifier: MIT */
/* A plain call hands on the frame. */
/* expect: too few arguments|incompatible type|could not convert|no matching function */
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
	return half(n);
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	return half(frame, n);
}
#endif
