/* SPDX-License-Identifier: MIT */
/* How many workers this process should have. */
#ifndef CPUS_H
#define CPUS_H

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

/* Bind the calling thread to the n-th of the CPUs that it may run on. */
void cpus_pin(unsigned n);

#endif
