/* SPDX-License-Identifier: MIT */
/* A result of more than 48 bytes does not fit into a slot. */
/* expect: task make take over 48 bytes: pass a pointer */
#include <filch.h>

struct six {
	double d[6];
};
struct seven {
	double d[7];
};

#ifdef MISUSE
FILCH_TASK(struct seven, make, frame)
{
	struct seven s = { { 0 } };

	(void)frame;
	return s;
}
#else
FILCH_TASK(struct six, make, frame)
{
	struct six s = { { 0 } };

	(void)frame;
	return s;
}
#endif
