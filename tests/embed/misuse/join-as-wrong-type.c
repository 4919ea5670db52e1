/* SPDX-License-Identifier: MIT */
/* A join has the type of the task. */
/* expect: incompatible (result )?type|could not convert|cannot convert|no viable|used where */
#include <filch.h>

struct box {
	long n;
};

FILCH_TASK(struct box, open, frame, struct box, b)
{
	(void)frame;
	return b;
}

#ifdef MISUSE
FILCH_TASK(long, user, frame, struct box, b)
{
	open_fork(&frame, b);
	return open_join(&frame);
}
#else
FILCH_TASK(long, user, frame, struct box, b)
{
	open_fork(&frame, b);
	return open_join(&frame).n;
}
#endif
