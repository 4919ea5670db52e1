/* SPDX-License-Identifier: MIT */
#ifndef BENCH_FILCH_H
#define BENCH_FILCH_H

#include "harness.h"

#include <filch.h>

extern filch *rt;

bench_fn filch_flat_submit_bench, filch_submit_bench, filch_wake_bench; /* filch.c */
bench_fn filch_switch_bench, filch_chan_bench, filch_pingpong_bench;    /* filch_pairs.c */

#endif
