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
	sleeper_stays_idle(rounds(60000) * MS);
}

Test(idle_stress, a_minute_of_waiting)
{
	waiters_stay_idle(rounds(60000) * MS);
}
