/* SPDX-License-Identifier: MIT */
/* A fork names every argument. */
/* expect: too few arguments|but 1 was provided */
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
	half_fork(&frame);
	return half_join(&frame) + n;
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	half_fork(&frame, n);
	return half_join(&frame);
}
#endif
