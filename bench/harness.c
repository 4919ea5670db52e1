/* SPDX-License-Identifier: MIT */
#include "harness.h"
#include "problems.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct executor *executor;

int64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void bench_fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", executor->name, what, strerror(error));
	exit(1);
}

static unsigned cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

static const struct bench_entry *entry(const char *name)
{
	const struct bench_entry *e = executor->benches;

	while (e->name && strcmp(e->name, name))
		e++;
	return e->name ? e : NULL;
}

static int list(void)
{
	for (const struct problem *p = problems; p->name; p++)
		if (entry(p->name))
			printf("%-12s %10ld  %s\n", p->name, p->size[executor->cost], p->size_is);
	return 0;
}

static void usage(FILE *to)
{
	fprintf(to,
	        "usage: %s BENCH [--size N] [--workers N] [--producers N] [--reps N]\n"
	        "       %s --list      the benches, their default sizes, what a size counts\n",
	        executor->name, executor->name);
}

static int complain(const char *format, const char *what)
{
	fprintf(stderr, "%s: ", executor->name);
	fprintf(stderr, format, what);
	fputc('\n', stderr);
	return 2;
}

/* A decimal number from min to max, or false. */
static bool number(const char *text, long min, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return end != text && !*end && !errno && *out >= min && *out <= max;
}

static void print(const char *bench, const struct bench_run *run, long rep, uint64_t ns,
                  const struct known *k)
{
	printf("{\"executor\":\"%s\",\"bench\":\"%s\",\"size\":%ld,\"workers\":%u,", executor->name,
	       bench, run->size, run->workers);
	if (!strcmp(bench, "submit"))
		printf("\"producers\":%u,", run->producers);
	printf("\"rep\":%ld,\"ns\":%" PRIu64 ",\"tasks\":%" PRIu64 ",\"result\":\"%" PRIu64 "\"}\n",
	       rep, ns, k->tasks, k->result);
	fflush(stdout);
}

/* One repetition: its time in nanoseconds. A wrong result is the end. */
static uint64_t repeat(const struct problem *p, bench_fn *fn, struct bench_run *run,
                       const struct known *known)
{
	int64_t start, end;
	uint64_t result;

	if (p->prepare)
		p->prepare(run->size);
	run->ns = 0;
	start = bench_now();
	result = fn(run);
	end = bench_now();
	if (p->outcome)
		result = p->outcome(run->size);
	if (result != known->result) {
		fprintf(stderr, "%s %s: the result is %" PRIu64 ", and should be %" PRIu64 "\n",
		        executor->name, p->name, result, known->result);
		exit(1);
	}
	return run->ns ? run->ns : (uint64_t)(end - start);
}

static int measure(const struct problem *p, struct bench_run *run, long reps)
{
	const struct bench_entry *e = entry(p->name);
	struct known known;

	if (!p->known(run, &known))
		return complain("%s does not have this size", p->name);
	if (e->max_tasks && known.tasks > e->max_tasks)
		return complain("too many tasks for this executor: choose a smaller size (%s)",
		                p->size_is);
	if (!executor->start(run->workers))
		bench_fail("cannot start", errno);
	repeat(p, e->fn, run, &known); /* the first warms caches, stacks and pools: not counted */
	for (long rep = 0; rep < reps; rep++)
		print(p->name, run, rep, repeat(p, e->fn, run, &known), &known);
	executor->stop();
	return 0;
}

static const struct problem *find(const char *name)
{
	const struct problem *p = problems;

	while (p->name && strcmp(p->name, name))
		p++;
	return p->name && entry(name) ? p : NULL;
}

/* The value of an option; false if it is out of range. */
static bool set(int option, struct bench_run *run, long *reps)
{
	long n;

	if (!number(optarg, option != 's',
	            option == 'w'   ? 1024
	            : option == 'p' ? 256
	                            : INT32_MAX,
	            &n))
		return false;
	if (option == 's')
		run->size = n;
	else if (option == 'w')
		run->workers = (unsigned)n;
	else if (option == 'p')
		run->producers = (unsigned)n;
	else
		*reps = n;
	return true;
}

int bench_main(const struct executor *x, int argc, char **argv)
{
	static const struct option options[] = {
		{ "size", required_argument, NULL, 's' },
		{ "workers", required_argument, NULL, 'w' },
		{ "producers", required_argument, NULL, 'p' },
		{ "reps", required_argument, NULL, 'r' },
		{ "list", no_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct bench_run run = { -1, cpus(), 1, 0 };
	const struct problem *p;
	long reps = 1;
	int option;

	executor = x;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'l')
			return list();
		if (option == 'h')
			return usage(stdout), 0;
		if (option == '?')
			return 2; /* getopt has said why */
		if (!set(option, &run, &reps))
			return complain("not a number in range: %s", optarg);
	}
	if (optind + 1 != argc)
		return usage(stderr), 2;
	p = find(argv[optind]);
	if (!p)
		return complain("no bench named %s here (--list shows what there is)",
		                argv[optind]);
	if (run.size < 0)
		run.size = p->size[x->cost];
	if (x->one_worker)
		run.workers = 1;
	return measure(p, &run, reps);
}
