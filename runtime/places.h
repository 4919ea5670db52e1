/* SPDX-License-Identifier: MIT */
/* Where the CPUs of this process are to each other, for workers that are bound to them. */
#ifndef PLACES_H
#define PLACES_H

struct place {
	int cpu;
	int cache; /* the lowest CPU that its last-level cache serves; -1: not known */
	int node;  /* of memory; -1: not known */
};

/*
 * Where these n CPUs are, in the order in which workers should be bound to them: close ones side by
 * side. The files are below sys, "/sys/devices/system", an argument so that tests can bring their
 * own.
 */
void places_find(const char *sys, const int *cpu, unsigned n, struct place *places);

/* 0: both share a cache; 1: they share a node; FAR_AWAY: neither. */
#define FAR_AWAY 2
static inline unsigned places_apart(const struct place *a, const struct place *b)
{
	if (a->node != b->node)
		return FAR_AWAY;
	return a->cache != b->cache;
}

#endif
