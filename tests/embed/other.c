/* SPDX-License-Identifier: MIT */
/* A second file that uses a task of header.c: both include the header, and nothing clashes. */
#include <filch.h>

FILCH_TASK_DECLARE(long, twice, long, n);

long four_times(long n);
long four_times(long n)
{
	return twice_run(NULL, twice_run(NULL, n));
}
