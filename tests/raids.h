/* SPDX-License-Identifier: MIT */
/* For tests of what needs raids. */
#ifndef RAIDS_H
#define RAIDS_H

#include "support.h"
#include "raid.h"

/* Without membarrier(2) there are no raids. */
static inline bool there_are_raids(void)
{
	barrier_prepare();
	if (!barrier_works_)
		cr_skip_test("no membarrier here");
	return barrier_works_;
}

#endif
