/* SPDX-License-Identifier: MIT */
/*
 * A store that is seen before the loads that follow it, by whoever calls barrier_heavy() between a
 * store and a load of its own: of two sides that each write one thing and read the other's, one
 * sees the other. It costs the side that is seldom taken a system call, and the other nothing.
 *
 *	often taken			seldom taken
 *
 *	A1 barrier_store(a)		B1 store b
 *	A2 load b			B2 barrier_heavy()
 *					B3 load a
 *
 * membarrier(2) makes every thread of the process that runs pass a full barrier between B1 and B3.
 * If that is before A1 in the order of that thread, A2 comes after B1 and sees it; otherwise A1
 * comes before B3, and is seen there. A thread that does not run has passed one when it left its
 * processor. Where the kernel has no membarrier, A1 is seq_cst, and so are the others.
 */
#ifndef BARRIER_H
#define BARRIER_H

#include "atomic.h"

void barrier_prepare(void); /* before any of this is used */
bool barrier_heavy(void); /* false: it did not work, for want of it or of memory */

extern bool barrier_works_;

static inline void barrier_store(uint32_t *p, uint32_t value)
{
	if (!barrier_works_) {
		store_seq(p, value);
		return;
	}
	/* Release: the compiler's order; the processor's is barrier_heavy()'s, its partner. */
	store_release(p, value);
	compiler_barrier();
}

#endif
