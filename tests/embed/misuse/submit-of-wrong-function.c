/* SPDX-License-Identifier: MIT */
/* What is submitted takes one pointer and returns nothing. */
/* expect: incompatible|invalid conversion|no matching function */
/* flags: -Werror */
#include <filch.h>

#ifdef MISUSE
static long task(long arg)
{
	return arg;
}
#else
static void task(void *arg)
{
	*(long *)arg = 1;
}
#endif

int main(void)
{
	long done = 0;

	return filch_run(filch_here(), task, &done);
}
