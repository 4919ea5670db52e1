/* SPDX-License-Identifier: MIT */
/* Arguments come in pairs of type and name. */
/* expect: odd_number_of_arguments */
#include <filch.h>

#ifdef MISUSE
FILCH_TASK(int, one, frame, int)
{
	(void)frame;
	return 1;
}
#else
FILCH_TASK(int, one, frame, int, n)
{
	(void)frame;
	return n;
}
#endif
