/* SPDX-License-Identifier: MIT */
/* Quotas, from trees of files that look like a cgroup's. */
#include "cpus.h"

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

static unsigned quota(const char *self, const struct file *files)
{
	char path[128], mount[128], command[128];
	unsigned n;

	CHECK(mkdtemp(root));
	write_file("self", self);
	for (; files->path; files++)
		write_file(files->path, files->text);
	snprintf(path, sizeof(path), "%s/self", root);
	snprintf(mount, sizeof(mount), "%s/m", root);
	n = cpus_quota(path, mount);
	snprintf(command, sizeof(command), "rm -r %s", root);
	CHECK_EQ(system(command), 0);
	strcpy(root + sizeof(root) - 7, "XXXXXX");
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
