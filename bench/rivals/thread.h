/* SPDX-License-Identifier: MIT */
#ifndef BENCH_THREAD_H
#define BENCH_THREAD_H

#include "harness.h"

/* Two threads that switch, talk and wake each other, with what POSIX has for it: thread_pairs.c. */
bench_fn thread_switch, thread_chan, thread_pingpong;

#endif
