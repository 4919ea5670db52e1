/* SPDX-License-Identifier: MIT */
/*
 * A connection: receive, answer everything that is whole, send, again.
 *
 * Every request that has arrived is answered before anything is sent, and one send carries all the
 * answers. What is held is bounded: one head, one body, OUT_LIMIT of answers.
 *
 * Within a request it waits where it stands, which suspends a task and blocks a thread; it cannot
 * tell which. Between requests it is put down, where the executor can do that: it has no task then,
 * and no desk, and is a few words in the list of clients until bytes come. A server has many idle
 * connections and few busy ones.
 */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "files.h"
#include "reply.h"
#include "request.h"
#include "routes.h"
#include "server.h"
#include "socket.h"

#define IN_SIZE    4096        /* some fifty requests of a client that pipelines */
#define BODY_ROOM  16384       /* what one receive takes of a body */
#define OUT_LIMIT  65536       /* answers are sent when there is as much of them */
#define ONE_FLIGHT 14000       /* bytes that leave at once, when nothing is before them */
#define TURN       16          /* receives before others have their turn, come what may */

enum phase { NEW, IDLE, HEAD, BODY };

struct connection {
	struct client client;
	struct server *server;
	struct desk *desk; /* NULL while it is put down */
	int64_t deadline;
	enum phase phase; /* which the deadline is for */
	bool asked;       /* had an answer before */
	bool sent;        /* and something was sent */
	bool closing;     /* nothing more is received */
	bool late;        /* the deadline had passed at the last receive */
	bool hurried;     /* the last receive was for the other half of something, well in a drain */
	bool over;        /* nor sent by the client, which has said so */
	bool refused; /* there may be unread input that a plain close would answer with a reset */
	bool broken;  /* nothing can be sent any more */
};

/* ---- sending -------------------------------------------------------------------------------- */

static void break_off(struct connection *c)
{
	c->broken = c->closing = true;
}

static void send_all(struct connection *c, const char *data, size_t length, int flags)
{
	c->sent = true;
	if (!c->broken &&
	    !socket_send(c->client.fd, data, length, flags, c->server->options->write_timeout))
		break_off(c);
}

static void send_file(struct connection *c, const struct reply *r)
{
	c->sent = true;
	if (!c->broken && !socket_send_file(c->client.fd, r->file->fd, r->from, r->length,
	                                    c->server->options->write_timeout))
		break_off(c);
}

static void flush_with(struct connection *c, int flags)
{
	if (c->desk->answered) {
		server_count(c->server, c->desk->answered);
		c->desk->answered = 0;
	}
	if (c->desk->out.length)
		send_all(c, c->desk->out.data, c->desk->out.length, flags);
	c->desk->out.length = 0;
}

static void flush(struct connection *c)
{
	flush_with(c, 0);
}

static void send_body(struct connection *c, const struct reply *r)
{
	if (!r->body) {
		flush_with(c, MSG_MORE);
		send_file(c, r);
	} else if (c->desk->out.length + r->length > OUT_LIMIT) {
		flush_with(c, MSG_MORE);
		send_all(c, r->body, r->length, 0);
	} else if (!buffer_add(&c->desk->out, r->body, r->length)) {
		break_off(c);
	}
}

static void log_reply(const struct connection *c, const struct reply *r)
{
	const struct request *q = &c->desk->request;
	struct log_line line = { .client = c->client.fd,
		                 .method = llhttp_method_name(q->method),
		                 .target = q->target,
		                 .status = r->status,
		                 .bytes = q->method == HTTP_HEAD ? 0 : r->length,
		                 .took = filch_now() - c->desk->arrived };

	log_add(&c->server->log, &line);
}

static void send_reply(struct connection *c, struct reply *r)
{
	enum reply_connection header = REPLY_DEFAULT;

	if (c->closing)
		header = REPLY_CLOSE;
	else if (c->desk->request.http_1_0)
		header = REPLY_KEEP_ALIVE;
	if (!reply_head(&c->desk->out, r, header))
		break_off(c);
	c->desk->answered++; /* before the last byte, after which it can be asked about */
	if (r->length && c->desk->request.method != HTTP_HEAD)
		send_body(c, r);
	if (c->server->log.fd >= 0)
		log_reply(c, r);
	reply_done(r);
	c->asked = true;
}

static void refuse(struct connection *c, int status)
{
	struct reply r;

	c->closing = c->refused = true;
	reply_init(&r);
	reply_error(&r, status, NULL);
	send_reply(c, &r);
}

static int stage_of(const struct connection *c)
{
	return atomic_load(&c->server->clients.stage);
}

/* ---- answering ------------------------------------------------------------------------------ */

static void run_route(struct connection *c, const struct route *route, struct reply *r)
{
	struct server *s = c->server;
	bool counted = s->options->max_pending && !route->always;

	if (route->slow)
		flush(c); /* the answers before this one need not wait for it */
	if (counted && atomic_fetch_add(&s->pending, 1) >= s->options->max_pending) {
		reply_error(r, 503, NULL);
		r->headers = "Retry-After: 1\r\n";
	} else if (!c->broken) {
		route->answer(s, &c->desk->request, r);
	}
	if (counted)
		atomic_fetch_sub(&s->pending, 1);
}

static void answer(struct connection *c)
{
	struct desk *d = c->desk;
	const struct route *route;
	struct reply r;
	bool last;

	reply_init(&r);
	route = route_find(&d->request, &r);
	if (route)
		run_route(c, route, &r);
	d->start += d->request.used;
	c->over = !d->request.keep_alive;
	c->closing |= c->over;
	/*
	 * While draining, the last that has arrived is the last, and others may be on their way; or
	 * that whose other half was waited for, since half a request may always lie behind it.
	 */
	last = c->hurried || (stage_of(c) != RUNNING && d->start == d->in.length);
	/* After CONNECT nothing is HTTP for sure. */
	if (last || d->request.method == HTTP_CONNECT || (c->closing && d->start < d->in.length))
		c->closing = c->refused = true;
	send_reply(c, &r);
}

/* Answer every request that is there, whole. */
static void answer_all(struct connection *c)
{
	struct desk *d = c->desk;
	struct request *q = &d->request;
	enum progress progress = REQUEST_READY;

	while (!c->closing && progress == REQUEST_READY &&
	       request_begins(q, d->in.data, d->in.length, &d->start)) {
		progress = request_feed(q, d->in.data + d->start, d->in.length - d->start);
		if (progress == REQUEST_BAD)
			refuse(c, q->status);
		if (progress != REQUEST_READY)
			continue;
		answer(c);
		request_reset(q, &c->server->options->limits);
		c->phase = NEW;
	}
	if (q->head) { /* and its body is not whole */
		request_forget(q);
		d->in.length = d->start + q->head;
	} else if (d->start == d->in.length) {
		d->start = d->in.length = 0;
	}
}

/* ---- receiving ------------------------------------------------------------------------------ */

static bool make_room(struct desk *d)
{
	size_t want = d->request.head ? BODY_ROOM : d->in.capacity ? 1 : IN_SIZE;

	if (d->start) {
		d->in.length -= d->start;
		memmove(d->in.data, d->in.data + d->start, d->in.length);
		d->start = 0;
	}
	return buffer_room(&d->in, want);
}

/* Time begins to run when a phase does, and not again with each byte. */
static void set_deadline(struct connection *c)
{
	const struct options *o = c->server->options;
	const struct request *q = &c->desk->request;
	enum phase phase = q->head ? BODY : q->used ? HEAD : IDLE; /* empty lines are nothing */

	if (phase == c->phase) {
		c->late = phase != IDLE && filch_now() >= c->deadline;
		return;
	}
	c->late = false;
	c->phase = phase;
	c->deadline = filch_after(phase == IDLE   ? o->idle_timeout
	                          : phase == HEAD ? o->header_timeout
	                                          : o->body_timeout);
}

/* Until when an idle one may wait. In a drain not at all, but what has arrived is still served. */
static int64_t patience(struct connection *c)
{
	return client_may_wait(&c->server->clients, &c->client,
	                       c->asked ? CLIENT_IDLE : CLIENT_FRESH)
	               ? c->deadline
	               : 0;
}

static void invite_body(struct connection *c)
{
	static const char invitation[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (c->desk->request.expects_100 && !c->desk->request.forgotten)
		buffer_add(&c->desk->out, invitation, sizeof(invitation) - 1);
	c->desk->request.expects_100 = false;
	flush(c);
}

/* What the end of input, or of patience, means for a request that is not whole. */
static void give_up(struct connection *c, ssize_t why)
{
	c->closing = true;
	if (why != 0 && why != -ETIMEDOUT)
		break_off(c);
	else if (c->phase != IDLE)
		refuse(c, why != 0 ? 408 : atomic_load(&c->client.cut) ? 503 : 400);
}

/*
 * Wait for more bytes; false if there will not be any. What is there at the deadline is still taken,
 * and what comes without a pause from then on is not.
 */
static bool receive(struct connection *c)
{
	struct buffer *in = &c->desk->in;
	bool late = c->late;
	ssize_t n;

	set_deadline(c);
	c->hurried = stage_of(c) == HURRYING && c->phase != IDLE;
	if (late && c->late) {
		give_up(c, -ETIMEDOUT);
		return false;
	}
	if (c->desk->request.expects_100)
		invite_body(c);
	if (!make_room(c->desk) || c->closing)
		return false;
	n = filch_recv(c->client.fd, in->data + in->length, in->capacity - in->length, 0,
	               c->phase == IDLE ? patience(c) : c->deadline);
	atomic_store(&c->client.state, CLIENT_BUSY);
	if (c->server->log.fd >= 0)
		c->desk->arrived = filch_now();
	if (n > 0)
		in->length += (size_t)n;
	else
		give_up(c, n);
	return n > 0;
}

/* ---- from the first byte to the last -------------------------------------------------------- */

/* The end goes with the last answer, in one segment, if nothing keeps that from leaving at once. */
static int last_flags(const struct connection *c)
{
	bool at_once = c->desk->out.length <= ONE_FLIGHT &&
	               !(c->sent && socket_unsent(c->client.fd));

	return at_once && (c->over || c->refused) ? MSG_MORE : 0;
}

/*
 * What is left to send, and to read: a close with unread input is a reset, and drops what is not
 * sent by then.
 */
static void part(struct connection *c)
{
	int flags = c->desk ? last_flags(c) : 0;

	if (c->desk)
		flush_with(c, flags);
	if (c->broken)
		return;
	if (flags)
		shutdown(c->client.fd, SHUT_WR);
	else
		socket_wait_until_sent(c->client.fd, c->server->options->write_timeout);
	if (c->refused || (c->over && socket_unread(c->client.fd)))
		socket_linger(c->client.fd);
}

static void finish(struct connection *c)
{
	struct server *s = c->server;

	part(c);
	if (c->desk)
		desk_give(&s->desks, c->desk);
	clients_leave(&s->clients, &c->client);
	free(c);
}

static void put_down(struct connection *c);

static void leave_desk(struct connection *c)
{
	desk_give(&c->server->desks, c->desk);
	c->desk = NULL;
	put_down(c);
}

/* Answer what has come. True: that was all, and it was put down. */
static bool done_with(struct connection *c)
{
	answer_all(c);
	if (!c->closing) /* or else finish() sends it */
		flush(c);
	if (c->closing || c->desk->in.length || !c->server->executor->when)
		return false;
	leave_desk(c);
	return true;
}

/* Serve it until it is closed, or idle. */
static void carry_on(struct connection *c)
{
	unsigned turn = 0;

	while (!c->closing && receive(c)) {
		if (done_with(c))
			return;
		if (++turn % TURN == 0)
			filch_yield();
	}
	finish(c);
}

static bool take_desk(struct connection *c)
{
	struct server *s = c->server;

	c->desk = desk_take(&s->desks, &s->options->limits);
	c->closing = !c->desk || !make_room(c->desk);
	return !c->closing;
}

static void serve(void *arg)
{
	struct connection *c = arg;

	take_desk(c);
	carry_on(c);
}

/*
 * Its first request may be there already, and may be its only one: then there is nothing to wait
 * for, and the poller need never hear of it.
 */
static void greet(void *arg)
{
	struct connection *c = arg;
	struct buffer *in;
	ssize_t n;

	if (!take_desk(c)) {
		finish(c);
		return;
	}
	in = &c->desk->in;
	n = filch_recv(c->client.fd, in->data, in->capacity, 0, 0);
	if (n <= 0) {
		leave_desk(c);
		return;
	}
	in->length = (size_t)n;
	if (c->server->log.fd >= 0)
		c->desk->arrived = filch_now();
	if (!done_with(c))
		carry_on(c);
}

static void pick_up(int events, void *arg)
{
	struct connection *c = arg;

	atomic_store(&c->client.state, CLIENT_BUSY);
	if (events < 0)
		finish(c);
	else
		serve(c);
}

/* It is somebody else's, or gone, as soon as this has succeeded. */
static void put_down(struct connection *c)
{
	const struct executor *e = c->server->executor;

	if (c->phase != IDLE) {
		c->phase = IDLE;
		c->deadline = filch_after(c->server->options->idle_timeout);
	}
	if (e->when(e->context, c->client.fd, POLLIN, patience(c), pick_up, c) < 0)
		finish(c);
}

struct connection *connection_begin(struct server *s, int fd)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		filch_close(fd);
		filch_sem_post(&s->clients.places);
		return NULL;
	}
	c->server = s;
	c->client.fd = fd;
	clients_join(&s->clients, &c->client);
	return c;
}

void connection_start(struct connection *c)
{
	const struct executor *e = c->server->executor;

	if (e->serve(e->context, e->when ? greet : serve, c) < 0)
		finish(c);
}

void connection_serve(struct connection *c)
{
	greet(c);
}
