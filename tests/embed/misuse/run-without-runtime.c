/* SPDX-License-Identifier: MIT */
/* A run names the runtime first. */
/* expect: too few arguments|no matching function */
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
	(void)frame;
	return half_run(n);
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	(void)frame;
	return half_run(filch_here(), n);
}
#endif
