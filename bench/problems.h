/* SPDX-License-Identifier: MIT */
/*
 * What the benches compute: sizes, and the answers that are known before anything is measured.
 */
#ifndef BENCH_PROBLEMS_H
#define BENCH_PROBLEMS_H

#include "harness.h"

#define FLAT_IN_FLIGHT 4096L /* forks of flat-fork before the joins */
#define CHAN_CAPACITY  64    /* items in the channel of chan */

struct known {
	uint64_t result;
	uint64_t tasks; /* forks or submits */
};

struct problem {
	const char *name;
	const char *size_is;
	long size[BENCH_COSTS]; /* defaults */
	bool (*known)(const struct bench_run *run,
	              struct known *out); /* false: not a size of this problem */
	void (*prepare)(long size);       /* before each repetition, untimed */
	uint64_t (*outcome)(long size);   /* after each, untimed: the result, where the bench leaves
	                                     it in memory */
};

extern const struct problem problems[]; /* ends with an empty one */

#endif
