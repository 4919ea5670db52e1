/* SPDX-License-Identifier: MIT */
/* Who has nothing to do uses no processor; at full length in stress/idle.c. */
#include "../idle.h"

TestSuite(idle, .timeout = WATCHDOG);

Test(idle, an_idle_runtime_uses_no_processor)
{
	filch *rt = start();

	stays_idle(500 * MS);
	stop(rt);
}

Test(idle, a_sleeping_task_uses_no_processor)
{
	sleeper_stays_idle(500 * MS);
}

Test(idle, tasks_that_wait_for_each_other_and_for_descriptors_use_no_processor)
{
	waiters_stay_idle(500 * MS);
}

Test(idle, after_a_burst_it_is_idle_again)
{
	filch *rt = start();
	long n = 0;

	for (int i = 0; i < 20000; i++)
		CHECK_EQ(filch_submit(rt, count_one, &n), 0);
	until(&n, 20000);
	stays_idle(500 * MS);
	stop(rt);
}
