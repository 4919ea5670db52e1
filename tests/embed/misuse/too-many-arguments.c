/* SPDX-License-Identifier: MIT */
/* A task takes six arguments at the most. */
/* expect:  */
#include <filch.h>

#ifdef MISUSE
FILCH_TASK(int, sum, frame, char, a, char, b, char, c, char, d, char, e, char, f, char, g)
{
	(void)frame;
	return a + b + c + d + e + f + g;
}
#else
FILCH_TASK(int, sum, frame, char, a, char, b, char, c, char, d, char, e, char, f)
{
	(void)frame;
	return a + b + c + d + e + f;
}
#endif
