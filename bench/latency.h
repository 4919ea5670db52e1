/* SPDX-License-Identifier: MIT */
/* The latencies of http-load: a histogram, of which the percentiles are read. */
#ifndef BENCH_LATENCY_H
#define BENCH_LATENCY_H

#include <stdint.h>
#include <string.h>

/* Latencies in ns, at a resolution of 1/32: for each power of two 32 counters. */
#define STEPS   32
#define BUCKETS (60 * STEPS)

static uint64_t bucket[BUCKETS];

static inline void forget_latencies(void)
{
	memset(bucket, 0, sizeof(bucket));
}

static inline unsigned bucket_of(uint64_t ns)
{
	unsigned power = ns < STEPS ? 0 : 63 - 5 - (unsigned)__builtin_clzll(ns);

	return power * STEPS + (unsigned)(ns >> power);
}

static inline void note(int64_t ns, unsigned n)
{
	unsigned i = bucket_of((uint64_t)ns);

	bucket[i < BUCKETS ? i : BUCKETS - 1] += n;
}

/* In us, the middle of its bucket; a negative number if nothing was answered. */
static inline double percentile(double percent)
{
	uint64_t sum = 0, wanted;

	for (unsigned i = 0; i < BUCKETS; i++)
		sum += bucket[i];
	wanted = (uint64_t)((double)sum * percent / 100);
	for (unsigned i = 0; sum && i < BUCKETS; i++) {
		if (wanted < bucket[i]) {
			unsigned power = i < 2 * STEPS ? 0 : i / STEPS - 1;

			return ((double)(i - power * STEPS) + 0.5) * (double)(1ull << power) / 1e3;
		}
		wanted -= bucket[i];
	}
	return -1;
}

#endif
