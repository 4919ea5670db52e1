/* SPDX-License-Identifier: MIT */
/* A definition has the types of its declaration. */
/* expect: conflicting types|redefinition|differ only|ambiguating */
#include <filch.h>

FILCH_TASK_DECLARE(long, half, long, n);

#ifdef MISUSE
FILCH_TASK_DEFINE(int, half, frame, long, n)
{
	(void)frame;
	return (int)n / 2;
}
#else
FILCH_TASK_DEFINE(long, half, frame, long, n)
{
	(void)frame;
	return n / 2;
}
#endif
