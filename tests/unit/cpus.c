/* SPDX-License-Identifier: MIT */
/* Quotas and places, from trees of files that look like a cgroup's and like /sys. */
#include "cpus.h"
#include "places.h"

#include "../support.h"

#include <sched.h>
#include <sys/stat.h>

TestSuite(cpus, .timeout = WATCHDOG);

struct file {
	const char *path, *text;
};

static char root[] = "/tmp/filch-test-XXXXXX";

static void write_file(const char *path, const char *text)
{
	char whole[256];
	FILE *f;

	snprintf(whole, sizeof(whole), "%s/%s", root, path);
	for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		CHECK(!mkdir(whole, 0700) || errno == EEXIST);
		*slash = '/';
	}
	f = fopen(whole, "w");
	CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void make_files(const struct file *files)
{
	CHECK(mkdtemp(root));
	for (; files->path; files++)
		write_file(files->path, files->text);
}

static void remove_files(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_EQ(system(command), 0);
	strcpy(root + sizeof(root) - 7, "XXXXXX");
}

static unsigned quota(const char *self, const struct file *files)
{
	char path[128], mount[128];
	unsigned n;

	make_files(files);
	write_file("self", self);
	snprintf(path, sizeof(path), "%s/self", root);
	snprintf(mount, sizeof(mount), "%s/m", root);
	n = cpus_quota(path, mount);
	remove_files();
	return n;
}

#define FILES(...) (const struct file[]){ __VA_ARGS__, { NULL, NULL } }

Test(cpus, a_quota_is_found_at_every_level_and_rounded_up)
{
	const struct { unsigned expected; const char *self; const struct file *files; const char *what; } table[] = {
		{ 0, "", FILES({ "m/cpu.max", "100000 100000\n" }), "in no cgroup" },
		{ 0, "0::/\n", FILES({ "m/x", "" }), "v2, no file at the root" },
		{ 0, "0::/a\n", FILES({ "m/a/cpu.max", "max 100000\n" }), "v2, no limit" },
		{ 1, "0::/a\n", FILES({ "m/a/cpu.max", "100000 100000\n" }), "v2, one CPU" },
		{ 1, "0::/a\n", FILES({ "m/a/cpu.max", "10000 100000\n" }), "v2, a tenth of a CPU" },
		{ 2, "0::/a\n", FILES({ "m/a/cpu.max", "150000 100000\n" }), "v2, one and a half" },
		{ 3, "0::/a/b/c\n", FILES({ "m/a/cpu.max", "300000 100000" }, { "m/a/b/c/cpu.max", "max 100000" }), "v2, an ancestor" },
		{ 2, "0::/a/b\n", FILES({ "m/a/cpu.max", "200000 100000" }, { "m/a/b/cpu.max", "400000 100000" }), "v2, the ancestor's is smaller" },
		{ 1, "0::/a/b\n", FILES({ "m/a/cpu.max", "200000 100000" }, { "m/a/b/cpu.max", "100000 100000" }), "v2, its own is smaller" },
		{ 4, "0::/gone\n", FILES({ "m/cpu.max", "400000 100000" }), "v2, seen from inside a container" },
		{ 0, "0::/a\n", FILES({ "m/a/cpu.max", "nonsense" }), "v2, what is no number" },
		{ 0, "0::/a\n", FILES({ "m/a/cpu.max", "100000 0" }), "v2, a period of nothing" },
		{ 0, "3:cpu,cpuacct:/a\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "-1\n" }, { "m/cpu/a/cpu.cfs_period_us", "100000\n" }), "v1, no limit" },
		{ 2, "3:cpu,cpuacct:/a\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "200000\n" }, { "m/cpu/a/cpu.cfs_period_us", "100000\n" }), "v1" },
		{ 1, "2:memory:/m\n3:cpuacct,cpu:/a/b\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "50000" }, { "m/cpu/a/cpu.cfs_period_us", "100000" }), "v1, an ancestor" },
		{ 3, "3:cpu:/docker/x\n", FILES({ "m/cpu/cpu.cfs_quota_us", "300000" }, { "m/cpu/cpu.cfs_period_us", "100000" }), "v1, seen from inside a container" },
		{ 0, "5:memory:/a\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "100000" }, { "m/cpu/a/cpu.cfs_period_us", "100000" }), "v1, another controller's path" },
		{ 0, "5:cpuset:/a\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "100000" }, { "m/cpu/a/cpu.cfs_period_us", "100000" }), "v1, a controller whose name begins alike" },
		{ 2, "3:cpu:/a\n0::/b\n", FILES({ "m/cpu/a/cpu.cfs_quota_us", "300000" }, { "m/cpu/a/cpu.cfs_period_us", "100000" }, { "m/b/cpu.max", "200000 100000" }), "both, the smaller" },
		{ 0, "garbage\n:\n::\n", FILES({ "m/x", "" }), "lines that make no sense" },
	};

	for (size_t i = 0; i < LENGTH(table); i++) {
		unsigned n = quota(table[i].self, table[i].files);

		if (n != table[i].expected)
			dprintf(STDERR_FILENO, "%s: %u, not %u\n", table[i].what, n, table[i].expected);
		CHECK_EQ(n, table[i].expected);
	}
}

Test(cpus, a_missing_file_is_no_quota)
{
	CHECK_EQ(cpus_quota("/nonexistent/self", "/nonexistent"), 0);
}

Test(cpus, the_affinity_bounds_the_default)
{
	cpu_set_t one, all;
	filch *rt;
	int cpu = 0;

	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	CHECK(cpus_usable() >= 1 && cpus_usable() <= (unsigned)CPU_COUNT(&all));
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CHECK(!sched_setaffinity(0, sizeof(one), &one));
	CHECK_EQ(cpus_usable(), 1);
	rt = filch_start(NULL);
	CHECK_EQ(filch_workers(rt), 1);
	stop(rt);
}

static void where(void *cpu)
{
	sleep_ms(1);
	*(int *)cpu = sched_getcpu();
}

Test(cpus, a_pinned_worker_stays_on_its_cpu)
{
	filch *rt = start_with((struct filch_options){ .workers = 1, .flags = FILCH_PIN });
	int first = -1, cpu = -1;

	CHECK_EQ(filch_run(rt, where, &first), 0);
	for (int i = 0; i < 50; i++) {
		CHECK_EQ(filch_run(rt, where, &cpu), 0);
		CHECK_EQ(cpu, first);
	}
	stop(rt);
}

/* ---- who is near whom ---- */

/* Two nodes, two caches in the first: the even CPUs and two odd ones; the first level is no help. */
static const struct file machine[] = {
	{ "cpu/cpu0/cache/index0/shared_cpu_list", "0\n" }, { "cpu/cpu0/cache/index1/shared_cpu_list", "0,2\n" },
	{ "cpu/cpu1/cache/index0/shared_cpu_list", "1\n" }, { "cpu/cpu1/cache/index1/shared_cpu_list", "1,4\n" },
	{ "cpu/cpu2/cache/index0/shared_cpu_list", "2\n" }, { "cpu/cpu2/cache/index1/shared_cpu_list", "0,2\n" },
	{ "cpu/cpu3/cache/index0/shared_cpu_list", "3\n" }, { "cpu/cpu3/cache/index1/shared_cpu_list", "3,5\n" },
	{ "cpu/cpu4/cache/index0/shared_cpu_list", "4\n" }, { "cpu/cpu4/cache/index1/shared_cpu_list", "1,4\n" },
	{ "cpu/cpu5/cache/index0/shared_cpu_list", "5\n" }, { "cpu/cpu5/cache/index1/shared_cpu_list", "3,5\n" },
	{ "cpu/cpu0/node0/x", "" }, { "cpu/cpu1/node0/x", "" }, { "cpu/cpu2/node0/x", "" },
	{ "cpu/cpu3/node1/x", "" }, { "cpu/cpu4/node0/x", "" }, { "cpu/cpu5/node1/x", "" },
	{ NULL, NULL },
};

Test(cpus, those_that_share_a_cache_or_a_node_lie_side_by_side)
{
	const int cpu[] = { 0, 1, 2, 3, 4, 5 }, expected[] = { 0, 2, 1, 4, 3, 5 };
	const unsigned from_first[] = { 0, 0, 1, 1, FAR_AWAY, FAR_AWAY };
	struct place place[6];

	make_files(machine);
	places_find(root, cpu, 6, place);
	remove_files();
	for (int i = 0; i < 6; i++) {
		CHECK_EQ(place[i].cpu, expected[i]);
		CHECK_EQ(places_apart(&place[0], &place[i]), from_first[i]);
		CHECK_EQ(places_apart(&place[i], &place[0]), from_first[i]);
	}
}

Test(cpus, where_nothing_is_told_all_are_near)
{
	const int cpu[] = { 3, 7 };
	struct place place[2];

	places_find("/nonexistent", cpu, 2, place);
	CHECK_EQ(place[0].cpu, 3);
	CHECK_EQ(place[1].cpu, 7);
	CHECK_EQ(places_apart(&place[0], &place[1]), 0);
}

static void spread(void *depth)
{
	filch_group g;

	filch_group_init(&g, filch_here());
	for (int i = 0; depth && i < 4; i++)
		CHECK_EQ(filch_group_submit(&g, spread, (void *)((intptr_t)depth - 1)), 0);
	CHECK_EQ(filch_group_wait(&g), 0);
}

Test(cpus, pinned_workers_share_the_work_however_many_they_are)
{
	for (unsigned n = 1; n <= 8; n *= 2) {
		filch *rt = start_with((struct filch_options){ .workers = n, .flags = FILCH_PIN });

		CHECK_EQ(filch_run(rt, spread, (void *)4), 0);
		CHECK_EQ(filch_resize(rt, n + 1), 0);
		CHECK_EQ(filch_run(rt, spread, (void *)4), 0);
		stop(rt);
	}
}
