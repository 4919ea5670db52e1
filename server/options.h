/* SPDX-License-Identifier: MIT */
/* The command line: one table, from which --help is made too. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request_limits {
	size_t header; /* bytes of request line and headers together */
	size_t body;
};

struct options {
	const char *program; /* as errors and --help name it */
	const char *listen;
	const char *port_file;
	const char *root;
	const char *poller;
	const char *model; /* NULL: not given */
	const char *access_log, *user;
	size_t workers;    /* 0: not given */
	size_t max_connections;
	size_t max_pending; /* 0: no limit */
	/* nanoseconds */
	int64_t header_timeout, body_timeout, write_timeout, idle_timeout, drain_timeout;
	struct request_limits limits;
	bool quiet;
};

#define EXIT_USAGE 2

/*
 * Fill *o from the command line, and with defaults. Returns -1 to go on, or the exit code: 0 after
 * --help or --version, 2 after one line on stderr. models: what --model may be, as "this|that";
 * NULL: there is no such option.
 */
int options_parse(struct options *o, const char *models, char **argv);

#endif
