/* SPDX-License-Identifier: MIT */
#include "routes.h"

#include <filch.h>
#include <stdio.h>
#include <string.h>

#include "dashboard.h"
#include "files.h"
#include "reply.h"
#include "report.h"
#include "request.h"

#define MAX_SLEEP 60000 /* ms */
#define MAX_FIB   45    /* some seconds of a core */

/* ---- parameters ----------------------------------------------------------------------------- */

enum parameter { MISSING, GOOD, BAD };

static bool read_number(const char *at, const char *end, long most, long *out)
{
	bool some = at < end;

	for (*out = 0; at < end && *at >= '0' && *at <= '9' && *out <= most; at++)
		*out = *out * 10 + (*at - '0');
	return some && at == end && *out <= most;
}

/* name=NUMBER in the query, a number from 0 to most; given twice, it is bad. */
static enum parameter number(const struct request *q, const char *name, long most, long *out)
{
	const char *at = q->query.at, *end = at + q->query.length, *next;
	size_t n = strlen(name);
	enum parameter found = MISSING;

	for (; at < end; at = next + (next < end)) {
		next = memchr(at, '&', (size_t)(end - at));
		if (!next)
			next = end;
		if ((size_t)(next - at) <= n || memcmp(at, name, n) != 0 || at[n] != '=')
			continue;
		if (found == MISSING && read_number(at + n + 1, next, most, out))
			found = GOOD;
		else
			found = BAD;
	}
	return found;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void home(struct server *s, const struct request *q, struct reply *r)
{
	(void)s, (void)q;
	r->type = "text/html; charset=utf-8";
	reply_text(r, "<!DOCTYPE html>\n<html lang=\"en\"><title>filch</title>\n"
	              "<h1>filch</h1>\n"
	              "<p>A work-stealing task runtime for C. This server runs on it: a task for\n"
	              "each connection, and a task that waits holds no thread.</p>\n"
	              "<ul>\n"
	              "<li><a href=\"/plaintext\">/plaintext</a> and <a href=\"/json\">/json</a>:"
	              " a greeting\n"
	              "<li><a href=\"/sleep?ms=1000\">/sleep?ms=1000</a>: waits\n"
	              "<li><a href=\"/fib?n=35\">/fib?n=35</a>: computes, by fork and join\n"
	              "<li><code>POST /echo</code>: your own words\n"
	              "<li><a href=\"/dashboard\">/dashboard</a>: the workers, live\n"
	              "<li><a href=\"/files/\">/files/</a>: what lies below --root\n"
	              "<li><a href=\"/healthz\">/healthz</a>, <a href=\"/stats\">/stats</a>,"
	              " <a href=\"/metrics\">/metrics</a>: how it is\n"
	              "</ul>\n");
}

static void plaintext(struct server *s, const struct request *q, struct reply *r)
{
	(void)s, (void)q;
	reply_text(r, "Hello, World!");
}

static void json(struct server *s, const struct request *q, struct reply *r)
{
	(void)s, (void)q;
	r->type = "application/json";
	reply_text(r, "{\"message\":\"Hello, World!\"}");
}

static void nap(struct server *s, const struct request *q, struct reply *r)
{
	long ms = 5000;

	(void)s;
	if (number(q, "ms", MAX_SLEEP, &ms) == BAD) {
		reply_error(r, 400, "ms is a number from 0 to 60000");
		return;
	}
	filch_sleep_until(filch_after(ms * 1000000ll));
	snprintf(r->text, sizeof(r->text), "slept %ld ms\n", ms);
	reply_text(r, r->text);
}

FILCH_TASK(long, fib, frame, long, n)
{
	long right;

	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);
	right = fib(frame, n - 2);
	return fib_join(&frame) + right;
}

static void compute(struct server *s, const struct request *q, struct reply *r)
{
	long n;

	(void)s;
	if (number(q, "n", MAX_FIB, &n) != GOOD) {
		reply_error(r, 400, "n is a number from 0 to 45");
		return;
	}
	snprintf(r->text, sizeof(r->text), "%ld\n", fib_run(filch_here(), n));
	reply_text(r, r->text);
}

static void echo(struct server *s, const struct request *q, struct reply *r)
{
	(void)s;
	r->type = "application/octet-stream"; /* never as something that a browser would run */
	r->body = q->body.data;
	r->length = q->body.length;
}

static void health(struct server *s, const struct request *q, struct reply *r)
{
	(void)s, (void)q;
	reply_text(r, "ok\n");
}

/* ---- the table ------------------------------------------------------------------------------ */

static const char get[] = "Allow: GET, HEAD\r\n";
static const char post[] = "Allow: POST\r\n";

#define PATH(path) path, sizeof(path) - 1

static const struct route routes[] = {
	{ PATH("/plaintext"), get, false, false, false, plaintext },
	{ PATH("/json"), get, false, false, false, json },
	{ PATH("/"), get, false, false, false, home },
	{ PATH("/sleep"), get, true, false, false, nap },
	{ PATH("/fib"), get, true, false, false, compute },
	{ PATH("/echo"), post, false, false, false, echo },
	{ PATH("/healthz"), get, false, true, false, health },
	{ PATH("/stats"), get, false, false, false, report_stats },
	{ PATH("/metrics"), get, false, false, false, report_metrics },
	{ PATH("/dashboard"), get, false, false, false, dashboard_answer },
	{ PATH("/files/"), get, false, false, true, files_answer },
};

static bool allows(const struct route *route, enum llhttp_method method)
{
	if (route->allow == post)
		return method == HTTP_POST;
	return method == HTTP_GET || method == HTTP_HEAD;
}

const struct route *route_find(const struct request *q, struct reply *r)
{
	size_t n = q->path.length;

	if (q->method == HTTP_CONNECT) {
		reply_error(r, 501, NULL);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		const struct route *route = &routes[i];

		if ((route->below ? n < route->length : n != route->length) ||
		    memcmp(route->path, q->path.at, route->length) != 0)
			continue;
		if (allows(route, q->method))
			return route;
		reply_error(r, 405, NULL);
		r->headers = route->allow;
		return NULL;
	}
	if (q->path.at[0] == '*') /* OPTIONS * */
		r->headers = "Allow: GET, HEAD, POST, OPTIONS\r\n";
	else
		reply_error(r, 404, NULL);
	return NULL;
}
