/* SPDX-License-Identifier: MIT */
/* An argument that must lie at 32 bytes does not fit into a slot. */
/* expect: task first take over 48 bytes|alignment */
#include <filch.h>

struct narrow {
	int i[8];
} __attribute__((aligned(16)));
struct broad {
	int i[8];
} __attribute__((aligned(32)));

#ifdef MISUSE
FILCH_TASK(int, first, frame, struct broad, b)
{
	(void)frame;
	return b.i[0];
}
#else
FILCH_TASK(int, first, frame, struct narrow, n)
{
	(void)frame;
	return n.i[0];
}
#endif
