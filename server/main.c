/* SPDX-License-Identifier: MIT */
/* filchd: an HTTP server on filch. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server.h"

static int submit(void *runtime, filch_fn *fn, void *arg)
{
	return filch_submit(runtime, fn, arg);
}

static int submit_when(void *runtime, int fd, short events, int64_t deadline, filch_ready_fn *fn,
                       void *arg)
{
	return filch_submit_when(runtime, fd, events, deadline, fn, arg);
}

static filch *start(const struct options *o)
{
	struct filch_options options = { .workers = (unsigned)o->workers,
		                         .flags = FILCH_REPORT_OVERFLOW };

	if (strcmp(o->poller, "epoll") == 0)
		options.flags |= FILCH_EPOLL;
	return filch_start(&options);
}

static const char *poller_of(filch *rt)
{
	struct filch_stats stats;

	return filch_stats(rt, -1, &stats) == 0 && stats.reserved[0] ? "io_uring" : "epoll";
}

int main(int argc, char **argv)
{
	static struct server server;
	struct executor executor = { .serve = submit, .when = submit_when };
	struct options options;
	const char *poller;
	char what[64];
	int status;

	(void)argc;
	status = options_parse(&options, NULL, argv);
	if (status >= 0)
		return status;
	status = server_open(&server, &options);
	if (status)
		return status;
	executor.runtime = executor.context = start(&options);
	if (!executor.runtime) {
		fprintf(stderr, "%s: cannot start: %s\n", options.program, strerror(errno));
		return EXIT_FAILURE;
	}
	poller = poller_of(executor.runtime);
	if (strcmp(options.poller, "auto") != 0 && strcmp(options.poller, poller) != 0) {
		fprintf(stderr, "%s: io_uring does not work here\n", options.program);
		_exit(EXIT_FAILURE);
	}
	snprintf(what, sizeof(what), "%u workers, %s", filch_workers(executor.runtime), poller);
	executor.what = what;
	status = server_run(&server, &executor);
	/* Not drained: what is in progress would hold filch_stop up, and ends with the process. */
	if (status)
		_exit(status);
	filch_stop(executor.runtime);
	return 0;
}
