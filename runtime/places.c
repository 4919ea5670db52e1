/* SPDX-License-Identifier: MIT */
/*
 * As Linux tells it: cpu/cpuN/cache/indexI lists who shares each cache, the last-level one has the
 * highest I, and cpu/cpuN has an entry nodeM. What is not told counts as the same for all, so that
 * everybody is as near as everybody else.
 */
#include "places.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* The first number of the list in a file, which is its lowest; -1 if there is none. */
static int first_in(const char *path)
{
	FILE *f = fopen(path, "re");
	int n = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static int cache_of(const char *sys, int cpu)
{
	char path[PATH_MAX];
	int last = -1;

	for (int i = 0;; i++) {
		int first;

		snprintf(path, sizeof(path), "%s/cpu/cpu%d/cache/index%d/shared_cpu_list", sys, cpu,
		         i);
		first = first_in(path);
		if (first < 0)
			return last;
		last = first;
	}
}

static int node_of(const char *sys, int cpu)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int node = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/cpu/cpu%d", sys, cpu);
	dir = opendir(path);
	while (dir && node < 0 && (entry = readdir(dir))) {
		if (sscanf(entry->d_name, "node%d", &node) != 1)
			node = -1;
	}
	if (dir)
		closedir(dir);
	return node;
}

static int by_nearness(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->cache != b->cache)
		return a->cache < b->cache ? -1 : 1;
	return a->cpu < b->cpu ? -1 : a->cpu > b->cpu;
}

void places_find(const char *sys, const int *cpu, unsigned n, struct place *places)
{
	int saved = errno;

	for (unsigned i = 0; i < n; i++)
		places[i] = (struct place){ cpu[i], cache_of(sys, cpu[i]), node_of(sys, cpu[i]) };
	qsort(places, n, sizeof(*places), by_nearness);
	errno = saved;
}
