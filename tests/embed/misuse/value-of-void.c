/* SPDX-License-Identifier: MIT */
/* A task without a result has none to join. */
/* expect: void */
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
	long out;

	store_fork(&frame, &out, n);
	out = store_join(&frame);
	return out;
}
#else
FILCH_TASK(long, user, frame, long, n)
{
	long out;

	store_fork(&frame, &out, n);
	store_join(&frame);
	return out;
}
#endif
