/* SPDX-License-Identifier: MIT */
/*
 * http-load: clients of an HTTP server, for bench/http. One thread, any number of connections to
 * 127.0.0.1, each of which asks again as soon as it was answered, or (--rate) when its next request
 * is due. Then a latency is counted from when the request was due, also of one that could not be
 * asked or was not answered until the end: or a server that leaves a client without an answer would
 * be spared all that this client had meant to ask (G. Tene, "How NOT to measure latency", 2013).
 *
 * It says "warm" on stdout when the warm-up is over and goes on when it gets a byte on stdin, so
 * that whoever reads the server's counters does it between two requests; then it prints a JSON
 * object, and keeps its connections until stdin ends. Every answer must be a 200 with a
 * Content-Length, always the same for one path.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "latency.h"

#define CHUNK   (256 * 1024) /* what one receive takes */
#define CARRY   2048         /* the longest head */
#define EVENTS  256
#define BILLION INT64_C(1000000000)

/* What to ask for: text is depth requests, one after the other. */
struct question {
	const char *path;
	char *text;
	size_t length;
	unsigned depth;
	size_t answer; /* bytes of each body, as the first one had it */
};

struct connection {
	int fd;
	struct question *asked; /* NULL: it is idle */
	unsigned missing;             /* answers */
	size_t body;                  /* bytes that are still to come of this one's */
	int64_t since;                /* when it was asked */
	unsigned due;                 /* with --rate: requests, the one that is asked among them */
	bool closing;                 /* answered: the server's close is to come */
	bool fresh;                   /* not yet answered on this connection */
	size_t carried;
	char carry[CARRY]; /* the beginning of a head */
};

static struct {
	unsigned port, connections, pipeline, idle, every, beside, rate;
	double seconds, warm;
	const char *path, *also;
	bool close;
} options = { .connections = 64, .pipeline = 1, .seconds = 1, .warm = 0.2, .path = "/plaintext" };

static struct question plain, other;
static struct connection *all;
static int poller;
static char chunk[CARRY + CHUNK];

static uint64_t answers, others, reconnects, turn, unanswered;
static int64_t next_due; /* with --rate, and whose request that is */
static unsigned next_turn;

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * BILLION + t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
	fprintf(stderr, "http-load: %s: %s\n", what, why);
	exit(1);
}

/* ---- asking --------------------------------------------------------------------------------- */

static struct question question(const char *path, unsigned depth)
{
	struct question q = { .path = path, .depth = depth };
	char one[1024];
	int n = snprintf(one, sizeof(one), "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s\r\n", path,
	                 options.port, options.close ? "Connection: close\r\n" : "");

	if (n < 0 || (size_t)n >= sizeof(one))
		fail(path, "too long");
	q.text = malloc((size_t)n * depth);
	if (!q.text)
		fail("malloc", strerror(errno));
	for (; depth; depth--, q.length += (size_t)n)
		memcpy(q.text + q.length, one, (size_t)n);
	return q;
}

static struct question *next_question(const struct connection *c)
{
	if (c < all + options.beside)
		return &other;
	return options.every && ++turn % options.every == 0 ? &other : &plain;
}

/*
 * A request is short, and the socket's buffer is empty: it fits. On loopback a connection is
 * made by the time connect(2) says that it will be, unless the server's backlog is full.
 */
static void ask(struct connection *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLOUT };
	ssize_t n;

	c->asked = next_question(c);
	c->missing = c->asked->depth;
	if (!options.close && !options.rate) /* otherwise from the connect on, or since it is due */
		c->since = now();
	do
		n = send(c->fd, c->asked->text, c->asked->length, MSG_NOSIGNAL);
	while (n < 0 && errno == EAGAIN && poll(&p, 1, 5000) > 0);
	/* Closed by now: that shows when the answer is received. */
	if (n != (ssize_t)c->asked->length && errno != EPIPE && errno != ECONNRESET)
		fail("send", strerror(errno));
}

static void open_connection(struct connection *c)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		                  .sin_port = htons((uint16_t)options.port),
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->asked = NULL;
	c->carried = c->body = 0;
	c->closing = false;
	c->fresh = true;
	if (!options.rate)
		c->since = now();
	if (c->fd < 0)
		fail("socket", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		fail("connect", strerror(errno));
	if (!options.close)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &event))
		fail("epoll_ctl", strerror(errno));
}

static void reopen(struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	c->asked = NULL;
	if (options.rate && !c->due)
		return;
	open_connection(c);
	ask(c);
}

/* ---- a rate: requests are due at even distances, and each connection has its turn -------------- */

static void ask_when_due(int64_t when)
{
	while (options.rate && next_due <= when) {
		struct connection *c = &all[next_turn];

		if (!c->due++) {
			c->since = next_due;
			if (c->fd < 0)
				open_connection(c);
			if (!c->asked)
				ask(c);
		}
		next_turn = (next_turn + 1) % options.connections;
		next_due += BILLION / options.rate;
	}
}

static void next_is_due(struct connection *c)
{
	c->due--;
	c->since += options.connections * (BILLION / options.rate);
}

/* What was due and is not answered has waited at least until now. */
static void count_unanswered(int64_t when)
{
	for (struct connection *c = all; options.rate && c < all + options.connections; c++) {
		for (; c->due && c->since < when; next_is_due(c)) {
			note(when - c->since, 1);
			unanswered++;
		}
	}
}

/* ---- answers -------------------------------------------------------------------------------- */

/* The value of Content-Length in a head, which must be a 200's. */
static size_t body_length(const char *path, const char *head, const char *end)
{
	static const char name[] = "\ncontent-length:";

	if (end - head < 12 || memcmp(head, "HTTP/1.1 200", 12) != 0) {
		const char *line = memchr(head, '\r', (size_t)(end - head));

		fprintf(stderr, "http-load: %s: answered \"%.*s\"\n", path,
		        (int)((line ? line : end) - head), head);
		exit(1);
	}
	while ((head = memchr(head, '\n', (size_t)(end - head)))) {
		if ((size_t)(end - head) > sizeof(name) && (head[1] | 0x20) == 'c' &&
		    strncasecmp(head, name, sizeof(name) - 1) == 0)
			return strtoul(head + sizeof(name) - 1, NULL, 10);
		head++;
	}
	fail(path, "an answer without Content-Length");
}

static void answered(struct connection *c, int64_t when)
{
	bool is_plain = c->asked == &plain;

	*(is_plain ? &answers : &others) += 1;
	if (is_plain)
		note(when - c->since, 1);
	c->fresh = false;
	c->missing--;
	if (options.rate)
		next_is_due(c);
}

/* Take in what came; returns where a head begins that is not whole, or the end. */
static const char *take(struct connection *c, const char *at, const char *end, int64_t when)
{
	while (at < end) {
		size_t there = (size_t)(end - at);

		if (!c->body) {
			const char *tail = memmem(at, there, "\r\n\r\n", 4);

			if (!tail)
				break;
			if (!c->missing)
				fail(options.path, "more answers than requests");
			c->body = body_length(c->asked->path, at, tail + 2);
			if (!c->asked->answer)
				c->asked->answer = c->body;
			if (c->body != c->asked->answer)
				fail(c->asked->path, "answers differ");
			at = tail + 4;
			there = (size_t)(end - at);
		}
		if (there < c->body) {
			c->body -= there;
			return end;
		}
		at += c->body;
		c->body = 0;
		answered(c, when);
	}
	return at;
}

/* The end of a connection: after the one answer of its life, or after many, as some servers do. */
static void ended(struct connection *c)
{
	if (!c->closing && (options.close || c->fresh || c->body || c->carried))
		fail(options.path, "closed without an answer");
	reconnects += !c->closing;
	if (c >= all + options.connections)
		fail("an idle connection", "closed");
	reopen(c);
}

static void readable(struct connection *c)
{
	ssize_t n;
	const char *end, *rest;

	memcpy(chunk, c->carry, c->carried);
	n = recv(c->fd, chunk + c->carried, CHUNK, 0);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		ended(c);
		return;
	}
	end = chunk + c->carried + n;
	rest = take(c, chunk, end, now());
	c->carried = (size_t)(end - rest);
	if (c->carried > CARRY)
		fail(options.path, "a head without an end");
	memcpy(c->carry, rest, c->carried);
	if (c->missing || !c->asked)
		return;
	if (options.close)
		c->closing = true;
	else if (c < all + options.connections && (!options.rate || c->due))
		ask(c);
	else
		c->asked = NULL;
}

static void run(double seconds)
{
	struct epoll_event events[EVENTS];
	int64_t end = now() + (int64_t)(seconds * 1e9);

	for (int64_t at = now(); at < end; at = now()) {
		int64_t until = options.rate && next_due < end ? next_due : end;
		int64_t left = until > at ? until - at : 0;
		struct timespec most = { left / BILLION, left % BILLION };
		int n = epoll_pwait2(poller, events, EVENTS, &most, NULL);

		for (int i = 0; i < n; i++)
			readable(events[i].data.ptr);
		ask_when_due(now());
	}
}

/* ---- the program ---------------------------------------------------------------------------- */

/* Each asks once, so that the server has seen all of it; then it only waits. */
static void open_idle(struct connection *c)
{
	struct pollfd p = { .events = POLLIN };

	open_connection(c);
	ask(c);
	p.fd = c->fd;
	while (c->asked) {
		if (poll(&p, 1, 5000) <= 0)
			fail("an idle connection", "no answer");
		readable(c);
	}
}

static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* The pause is nobody's latency. */
static void start_counting(int64_t when)
{
	forget_latencies();
	answers = others = reconnects = 0;
	next_due = when;
	for (unsigned i = 0; i < options.connections; i++) {
		all[i].since = when;
		all[i].due = all[i].due > 0;
	}
}

static void report(double seconds)
{
	printf("{\"requests\": %" PRIu64 ", \"others\": %" PRIu64 ", \"unanswered\": %" PRIu64
	       ", \"seconds\": %.6f, \"reconnects\": %" PRIu64,
	       answers, others, unanswered, seconds, reconnects);
	printf(", \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f}\n", percentile(50),
	       percentile(99), percentile(99.9));
}

static _Noreturn void usage(void)
{
	fputs("usage: http-load --port N [--path PATH] [--connections N] [--seconds S] [--warm S]\n"
	      "  --pipeline N  requests in one send\n"
	      "  --close       a connection for each\n"
	      "  --rate N      requests a second, all connections together\n"
	      "  --idle N      so many more that ask once and then wait\n"
	      "  --also PATH   not in the latencies: --every N th request, or what --beside N\n"
	      "                of the connections ask\n",
	      stderr);
	exit(2);
}

static void parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", 1, NULL, 'p' },        { "path", 1, NULL, 'a' },
		{ "connections", 1, NULL, 'c' }, { "seconds", 1, NULL, 's' },
		{ "warm", 1, NULL, 'w' },        { "pipeline", 1, NULL, 'l' },
		{ "close", 0, NULL, 'x' },       { "idle", 1, NULL, 'i' },
		{ "also", 1, NULL, 'o' },        { "every", 1, NULL, 'e' },
		{ "beside", 1, NULL, 'b' },      { "rate", 1, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	unsigned *number[128] = {
		['p'] = &options.port, ['c'] = &options.connections, ['l'] = &options.pipeline,
		['i'] = &options.idle, ['e'] = &options.every,       ['b'] = &options.beside,
		['r'] = &options.rate
	};
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		if (option == '?')
			usage();
		else if (option == 'a')
			options.path = optarg;
		else if (option == 'o')
			options.also = optarg;
		else if (option == 's')
			options.seconds = atof(optarg);
		else if (option == 'w')
			options.warm = atof(optarg);
		else if (option == 'x')
			options.close = true;
		else
			*number[option] = (unsigned)strtoul(optarg, NULL, 10);
	}
	if (optind < argc || !options.port || !options.connections || !options.pipeline ||
	    options.beside > options.connections || (options.rate && options.pipeline > 1) ||
	    !options.also != !(options.every || options.beside))
		usage();
}

int main(int argc, char **argv)
{
	int64_t began;

	parse(argc, argv);
	raise_limit();
	plain = question(options.path, options.pipeline);
	other = question(options.also ? options.also : options.path, 1);
	poller = epoll_create1(0);
	all = calloc(options.connections + options.idle, sizeof(*all));
	if (poller < 0 || !all)
		fail("start", strerror(errno));
	for (unsigned i = 0; i < options.idle; i++)
		open_idle(&all[options.connections + i]);
	for (unsigned i = 0; i < options.connections; i++) {
		all[i].fd = -1;
		if (!options.rate || !options.close)
			open_connection(&all[i]);
		if (!options.rate)
			ask(&all[i]);
	}
	next_due = now();
	run(options.warm);
	puts("warm");
	fflush(stdout);
	if (getchar() == EOF)
		return 1;
	began = now();
	start_counting(began);
	run(options.seconds);
	count_unanswered(now());
	report((double)(now() - began) / 1e9);
	fflush(stdout);
	while (getchar() != EOF)
		; /* who measures the server looks at it before these connections end */
	return 0;
}
