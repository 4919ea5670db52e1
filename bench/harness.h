/* SPDX-License-Identifier: MIT */
/*
 * What every program of the bench shares: the command line, the clock, the check of each result,
 * and one JSON object a repetition. An executor says how it starts and which benches it has;
 * problems.c says what each bench computes, how big it is and what must come out, so that no
 * executor can be fast by being wrong.
 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_run {
	long size;
	unsigned workers;
	unsigned producers; /* threads that submit, in the bench `submit` */
	uint64_t ns;        /* set by a bench that times only a part of itself */
};

/* One repetition; returns the result (anything, where the problem reads it from memory). */
typedef uint64_t bench_fn(struct bench_run *run);

struct bench_entry {
	const char *name;
	bench_fn *fn;
	uint64_t max_tasks; /* refuses larger sizes; 0: any */
};

/* What a task costs here: picks default sizes with which a repetition takes 0.1 to 1 s. */
enum bench_cost {
	NANOSECONDS,
	TENS_OF_NANOSECONDS,
	HUNDREDS_OF_NANOSECONDS,
	MICROSECONDS,
	BENCH_COSTS
};

struct executor {
	const char *name;
	enum bench_cost cost;
	bool one_worker; /* there is no second: --workers is not for it */
	bool (*start)(unsigned workers);
	void (*stop)(void);
	const struct bench_entry *benches; /* ends with an empty one */
};

/* The main() of an executor. */
int bench_main(const struct executor *executor, int argc, char **argv);

int64_t bench_now(void); /* CLOCK_MONOTONIC, nanoseconds */

/* One line on stderr and exit 1: what a bench does when the system lets it down. */
void bench_fail(const char *what, int error) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif

#endif
