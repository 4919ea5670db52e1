/* SPDX-License-Identifier: MIT */
/* A minute of nothing costs nothing. */
#include "../idle.h"

TestSuite(idle_stress, .timeout = 10 * WATCHDOG);

Test(idle_stress, a_minute_of_nothing)
{
	filch *rt = start();

	stays_idle(rounds(60000) * MS);
	stop(rt);
}

Test(idle_stress, a_minute_of_one_sleeping_task)
{
	int64_t ns = rounds(60000) * MS;
	filch *rt = start();

	CHECK_EQ(filch_submit(rt, sleep_through, &ns), 0);
	stays_idle(ns - 100 * MS);
	stop(rt);
}

Test(idle_stress, a_minute_of_waiting)
{
	waiters_stay_idle(rounds(60000) * MS);
}
