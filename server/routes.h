/* SPDX-License-Identifier: MIT */
/* What there is to ask for. */
#ifndef ROUTES_H
#define ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct reply;
struct request;
struct server;

struct route {
	const char *path;
	size_t length;
	const char *allow; /* the header line that lists its methods */
	bool slow;         /* it may wait or compute: what was answered before is sent first */
	bool always;       /* answers beyond --max-pending too */
	bool below;        /* it is for every path that begins so */
	void (*answer)(struct server *s, const struct request *q, struct reply *r);
};

/* The route for a request; NULL if there is none, and then *r says why. */
const struct route *route_find(const struct request *q, struct reply *r);

#endif
