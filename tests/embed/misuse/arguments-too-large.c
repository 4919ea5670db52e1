/* SPDX-License-Identifier: MIT */
/* Arguments of more than 48 bytes do not fit into a slot. */
/* expect: task sum take over 48 bytes: pass a pointer */
#include <filch.h>

struct six {
	double d[6];
};

#ifdef MISUSE
FILCH_TASK(int, sum, frame, struct six, s, char, more)
{
	(void)frame;
	return (int)s.d[0] + more;
}
#else
FILCH_TASK(int, sum, frame, struct six, s)
{
	(void)frame;
	return (int)s.d[0];
}
#endif
