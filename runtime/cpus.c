/* SPDX-License-Identifier: MIT */
/*
 * A container often limits CPU time and not CPUs, at any level above the process: every ancestor's
 * quota is looked at. A quota that is no whole number of CPUs is rounded up: with one worker less
 * it could not be used.
 */
#include "cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#define MOST_CPUS 8192
#define LONGEST 1024 /* name of a cgroup; a task may start a runtime, on a small stack */

typedef cpu_set_t cpus[MOST_CPUS / CPU_SETSIZE];

static unsigned affinity(cpus set)
{
	memset(set, 0, sizeof(cpus));
	return sched_getaffinity(0, sizeof(cpus), set) ? 0
	                                               : (unsigned)CPU_COUNT_S(sizeof(cpus), set);
}

/* Both numbers of "quota period"; a quota of "max" or -1 means none. */
static unsigned whole_cpus(long quota, long period)
{
	return quota > 0 && period > 0 ? (unsigned)((quota + period - 1) / period) : 0;
}

static long read_long(const char *dir, const char *file)
{
	char path[LONGEST];
	long n = -1;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path) ||
	    !(f = fopen(path, "re")))
		return -1;
	if (fscanf(f, "%ld", &n) != 1)
		n = -1;
	fclose(f);
	return n;
}

static unsigned quota_v2(const char *dir)
{
	char path[LONGEST];
	long quota = -1, period = -1;
	FILE *f;

	if (snprintf(path, sizeof(path), "%s/cpu.max", dir) >= (int)sizeof(path) ||
	    !(f = fopen(path, "re")))
		return 0;
	if (fscanf(f, "%ld %ld", &quota, &period) != 2)
		quota = -1;
	fclose(f);
	return whole_cpus(quota, period);
}

static unsigned quota_v1(const char *dir)
{
	return whole_cpus(read_long(dir, "cpu.cfs_quota_us"), read_long(dir, "cpu.cfs_period_us"));
}

/* The smallest quota of dir and of all above it, up to mount. dir is cut down on the way. */
static unsigned smallest(char *dir, size_t mount_length, unsigned (*quota)(const char *))
{
	unsigned least = 0;

	for (;;) {
		unsigned n = quota(dir);
		char *slash;

		if (n && (!least || n < least))
			least = n;
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < mount_length)
			return least;
		*slash = '\0';
	}
}

/* Is "cpu" among the names between commas? */
static bool names_cpu(const char *list)
{
	while (*list) {
		size_t n = strcspn(list, ",");

		if (n == 3 && !strncmp(list, "cpu", 3))
			return true;
		list += n + (list[n] == ',');
	}
	return false;
}

/* One line of /proc/self/cgroup: hierarchy:controllers:path. */
static unsigned quota_of_line(char *line, const char *mount)
{
	char dir[LONGEST];
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	bool v2 = controllers && path == controllers + 1;
	const char *below = v2 ? "" : "/cpu";
	int n;

	if (!path)
		return 0;
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (!v2 && !names_cpu(controllers + 1))
		return 0;
	if (!strcmp(path, "/"))
		path = (char *)"";
	n = snprintf(dir, sizeof(dir), "%s%s%s", mount, below, path);
	if (n < 0 || (size_t)n >= sizeof(dir))
		return 0;
	return smallest(dir, strlen(mount) + strlen(below), v2 ? quota_v2 : quota_v1);
}

unsigned cpus_quota(const char *self_cgroup, const char *mount)
{
	char line[LONGEST];
	unsigned least = 0;
	FILE *f = fopen(self_cgroup, "re");

	while (f && fgets(line, sizeof(line), f)) {
		unsigned n = quota_of_line(line, mount);

		if (n && (!least || n < least))
			least = n;
	}
	if (f)
		fclose(f);
	return least;
}

unsigned cpus_usable(void)
{
	cpus set;
	unsigned n = affinity(set), quota = cpus_quota("/proc/self/cgroup", "/sys/fs/cgroup");

	if (!n)
		n = 1;
	return quota && quota < n ? quota : n;
}

unsigned cpus_allowed(void)
{
	cpus set;

	return affinity(set);
}

bool cpus_forbid(pthread_t thread, int cpu)
{
	cpus set;

	memset(set, 0, sizeof(set));
	if (pthread_getaffinity_np(thread, sizeof(set), set) || !CPU_ISSET_S(cpu, sizeof(set), set))
		return false;
	CPU_CLR_S(cpu, sizeof(set), set);
	return CPU_COUNT_S(sizeof(set), set) && !pthread_setaffinity_np(thread, sizeof(set), set);
}

void cpus_allow(pthread_t thread, int cpu)
{
	cpus set;

	memset(set, 0, sizeof(set));
	if (pthread_getaffinity_np(thread, sizeof(set), set))
		return;
	CPU_SET_S(cpu, sizeof(set), set);
	pthread_setaffinity_np(thread, sizeof(set), set);
}

void cpus_as(pthread_t thread)
{
	cpus set;

	memset(set, 0, sizeof(set));
	if (!pthread_getaffinity_np(thread, sizeof(set), set))
		sched_setaffinity(0, sizeof(set), set);
}

unsigned cpus_list(int *list, unsigned most)
{
	cpus set;
	unsigned n = 0;

	if (!affinity(set))
		return 0;
	for (int cpu = 0; cpu < MOST_CPUS && n < most; cpu++) {
		if (CPU_ISSET_S(cpu, sizeof(set), set))
			list[n++] = cpu;
	}
	return n;
}

void cpus_bind(int cpu)
{
	cpus one;

	memset(one, 0, sizeof(one));
	CPU_SET_S(cpu, sizeof(one), one);
	sched_setaffinity(0, sizeof(one), one);
}
