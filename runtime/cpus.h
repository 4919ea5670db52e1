/* SPDX-License-Identifier: MIT */
/* How many workers this process should have. */
#ifndef CPUS_H
#define CPUS_H

#include <pthread.h>
#include <stdbool.h>

/*
 * The CPUs that it may run on, or fewer if a cgroup's quota, its own or an ancestor's, allows less;
 * at least 1.
 */
unsigned cpus_usable(void);

/*
 * The quota alone, in whole CPUs, rounded up; 0: none. The files are arguments so that tests can
 * bring their own.
 */
unsigned cpus_quota(const char *self_cgroup, const char *mount);

/* How many CPUs the calling thread may run on; 0: unknown. */
unsigned cpus_allowed(void);

/* Keep a thread off a CPU that it may use now, until it is allowed again. False: it has no other. */
bool cpus_forbid(pthread_t thread, int cpu);
void cpus_allow(pthread_t thread, int cpu);

/* Which these are, in ascending order, at most so many of them; returns how many. */
unsigned cpus_list(int *list, unsigned most);

void cpus_as(pthread_t thread); /* the calling thread may use the CPUs that this one may */
void cpus_bind(int cpu);        /* the calling thread runs there and nowhere else */

#endif
