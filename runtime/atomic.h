/* SPDX-License-Identifier: MIT */
/*
 * The only file of the runtime that spells memory orders, but for the public filch_task.h.
 * Everything else says load_acquire(), store_release() and so on, so that one grep lists every
 * ordering decision; each weak one has a line "A before B; pairs with f()" beside it and a row in
 * doc/MEMORY.md.
 *
 * There are no stand-alone fences: orders sit on the operations. A seq_cst store is an exchange,
 * since compilers may emit a full fence for it on x86, which costs four times as much as a locked
 * instruction.
 */
#ifndef ATOMIC_H
#define ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_LINE 64

#define load_relaxed(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define load_seq(p)     __atomic_load_n(p, __ATOMIC_SEQ_CST)

#define store_relaxed(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define store_seq(p, v)     ((void)__atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))

#define exchange_acq_rel(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define exchange_seq(p, v)     __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)

/* Strong compare and swap; on failure *expected is what was found. */
#define cas_acquire(p, expected, v) \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
#define cas_acq_rel(p, expected, v) \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
#define cas_seq(p, expected, v) \
	__atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* These return the value from before. */
#define add_relaxed(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)
#define add_seq(p, v)     __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)

/* A counter that one thread writes and others may read: no locked instruction. */
#define count_up(p) store_relaxed(p, load_relaxed(p) + 1)

/*
 * Fetch what will be written soon: else a locked instruction, which waits for all stores before it,
 * waits for a line that another processor has. gcc has no instruction for it in plain x86-64, where
 * processors without it take it for none.
 */
static inline void prefetch_write(const void *p)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)p));
#else
	__builtin_prefetch(p, 1);
#endif
}

/*
 * Keep the compiler from moving accesses across. For the processor it is a barrier only together
 * with membarrier(2) on the other side: see hold.c.
 */
static inline void compiler_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

/* Tell the processor that this is a waiting loop. */
static inline void spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("isb" ::: "memory");
#endif
}

#endif
