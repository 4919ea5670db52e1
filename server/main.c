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

int main(int argc, char **argv)
{
	static struct server server;
	struct executor executor = { .serve = submit, .accept = submit, .when = submit_when };
	struct options options;
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
	snprintf(what, sizeof(what), "%u workers, epoll", filch_workers(executor.runtime));
	executor.what = what;
	status = server_run(&server, &executor);
	/* Not drained: what is in progress would hold filch_stop up, and ends with the process. */
	if (status)
		_exit(status);
	filch_stop(executor.runtime);
	return 0;
}
