/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <filch.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "server.h"

#define BACKLOG  4096               /* what the kernel's default, somaxconn, allows */
#define FIRST_FD 3                  /* of LISTEN_FDS */
#define BACK_OFF (50 * 1000 * 1000) /* ns; short enough to recover within a second */
#define PLACES   500                /* a door more for each so many connections */
#define UNSENT   65536              /* bytes; no more of an answer waits in the kernel */
#define TURN     16                 /* accepted in a row before others have their turn */

static int complain(const struct options *o, const char *what, int status)
{
	fprintf(stderr, "%s: --listen %s: %s\n", o->program, o->listen, what);
	return status;
}

/* "127.0.0.1:80", "[::1]:80": false if it has not that form */
static bool split(const char *address, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : 0;
	bool brackets = n > 2 && address[0] == '[' && address[n - 1] == ']';
	unsigned long number;
	char *end;

	if (!n || n >= size || (!brackets && memchr(address, ':', n)))
		return false;
	snprintf(host, size, "%.*s", (int)(brackets ? n - 2 : n), address + brackets);
	*port = colon + 1;
	number = strtoul(*port, &end, 10);
	return **port >= '0' && **port <= '9' && !*end && number <= 65535;
}

/*
 * Options of TCP, which another socket refuses. Accepted ones inherit them: that saves calls for
 * each. What cannot be sent yet stays where it is, in a file or in memory, but for UNSENT: megabytes
 * in the queues of many sockets are in no cache any more when their turn comes, and take three times
 * as long.
 */
static void set_tcp(int fd)
{
	int on = 1, unsent = UNSENT;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
}

/*
 * A client is accepted when its request is there, so that no worker is woken to find nothing: half
 * of what a connection for one request can cost. One that says nothing is accepted when the kernel
 * has asked it again, after one to three seconds; until then it holds neither a place nor a
 * descriptor, and learns of a drain only when it speaks. Whoever gives us a socket decides that.
 */
static void defer_accept(int fd)
{
	int seconds = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
}

/*
 * The first one is bound as if it were to be the only one, so that a port in use is an error; others
 * of ours may join it then.
 */
static int bind_to(const struct sockaddr *address, socklen_t length, bool first)
{
	int on = 1;
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!first)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	set_tcp(fd);
	defer_accept(fd);
	if (bind(fd, address, length) == 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
		if (listen(fd, BACKLOG) == 0)
			return fd;
	}
	on = -errno;
	close(fd);
	return on;
}

/*
 * A socket that listens already, from whoever started us (sd_listen_fds(3)): -1 if there is none.
 * What the environment says of it is not for our children.
 */
static int inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int one = 0;
	socklen_t size = sizeof(one);
	bool ours = pid && count && strtol(pid, NULL, 10) == getpid() && atoi(count) >= 1;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours || getsockopt(FIRST_FD, SOL_SOCKET, SO_ACCEPTCONN, &one, &size) || !one)
		return ours ? -2 : -1;
	fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC);
	fcntl(FIRST_FD, F_SETFL, O_NONBLOCK);
	set_tcp(FIRST_FD);
	return FIRST_FD;
}

static void look_up_address(struct listener *l)
{
	struct sockaddr_in6 bound = { 0 }; /* the larger of the two */
	struct sockaddr_in *v4 = (struct sockaddr_in *)&bound;
	socklen_t size = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "";

	getsockname(l->door[0].fd, (struct sockaddr *)&bound, &size);
	if (bound.sin6_family != AF_INET && bound.sin6_family != AF_INET6) {
		snprintf(l->address, sizeof(l->address), "localhost"); /* a local socket */
		return;
	}
	l->length = size;
	l->port = ntohs(bound.sin6_port); /* at the same place in both */
	if (bound.sin6_family == AF_INET6) {
		inet_ntop(AF_INET6, &bound.sin6_addr, host, sizeof(host));
		snprintf(l->address, sizeof(l->address), "[%s]:%u", host, l->port);
	} else {
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(l->address, sizeof(l->address), "%s:%u", host, l->port);
	}
}

int listener_open(struct listener *l, const struct options *o)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	const char *port;
	char host[256];
	int error;

	int fd = inherited();

	atomic_init(&l->stopping, false);
	l->doors = 1;
	l->door[0].fd = fd;
	if (fd < -1)
		return complain(o, "the socket of LISTEN_FDS does not listen", EXIT_FAILURE);
	l->alone = fd >= 0;
	if (l->alone) {
		look_up_address(l);
		return 0;
	}
	if (!split(o->listen, host, sizeof(host), &port))
		return complain(o, "is not HOST:PORT", EXIT_USAGE);
	error = getaddrinfo(host, port, &hints, &found);
	if (error)
		return complain(o, gai_strerror(error), EXIT_USAGE);
	fd = l->door[0].fd = bind_to(found->ai_addr, found->ai_addrlen, true);
	freeaddrinfo(found);
	if (fd < 0)
		return complain(o, strerror(-fd), EXIT_FAILURE);
	look_up_address(l);
	return 0;
}

/* Errors that concern one connection, which is gone, and not the listener. */
static bool harmless(int error)
{
	return error == -ECONNABORTED || error == -EINTR || error == -EPROTO;
}

static void start(struct server *s, int client)
{
	struct connection *c = connection_begin(s, client);

	if (c)
		connection_start(c);
}

static bool accept_rest(struct server *s, const struct door *door)
{
	bool some = false;
	int client;

	while (filch_sem_wait(&s->clients.places, 0) == 0) {
		client = filch_accept(door->last, NULL, NULL, 0);
		if (client < 0) {
			filch_sem_post(&s->clients.places);
			break;
		}
		start(s, client);
		some = true;
	}
	return some;
}

/*
 * Who had connected and asked by then is served; the kernel would have reset them. All doors are
 * empty before any is closed, so that nobody is lost at one while another still lets people in.
 */
static void close_doors(struct server *s)
{
	struct listener *l = &s->listener;
	bool some = true;

	while (some) {
		some = false;
		for (unsigned i = 0; i < l->doors; i++)
			some |= accept_rest(s, &l->door[i]);
	}
	for (unsigned i = 0; i < l->doors; i++)
		filch_close(l->door[i].last);
	clients_closed(&s->clients);
}

static void leave_door(const struct door *door)
{
	if (atomic_fetch_sub(&door->server->listener.open, 1) == 1)
		close_doors(door->server);
}

static bool stopping(const struct door *door)
{
	return atomic_load(&door->server->listener.stopping);
}

/*
 * The next one; -EBUSY: there is no place, or no descriptor, by the first deadline, -ETIMEDOUT:
 * nobody by the second; anything else is the end.
 */
static int let_in(const struct door *door, int64_t place, int64_t deadline)
{
	filch_sem *places = &door->server->clients.places;
	int client;

	for (;;) {
		/* Who is beyond the limit waits in the backlog: a place comes first. */
		client = filch_sem_wait(places, place);
		if (client || stopping(door))
			return client == -ETIMEDOUT ? -EBUSY : -ECANCELED;
		client = filch_accept(door->fd, NULL, NULL, deadline);
		if (client >= 0)
			return client;
		filch_sem_post(places);
		if (client == -ETIMEDOUT || stopping(door))
			return client;
		if (harmless(client))
			continue;
		/* Out of descriptors or memory: trying again at once would be a spin. */
		if (!place)
			return -EBUSY;
		filch_sleep_until(filch_after(BACK_OFF));
	}
}

static void keep_door(void *arg)
{
	const struct door *door = arg;
	unsigned turn = 0;
	int client;

	while ((client = let_in(door, FILCH_NEVER, FILCH_NEVER)) >= 0) {
		start(door->server, client);
		if (++turn % TURN == 0)
			filch_yield();
	}
	leave_door(door);
}

static void answer_door(int events, void *arg);

static bool wait_at(struct door *door)
{
	const struct executor *e = door->server->executor;

	while (!stopping(door)) {
		if (e->when(e->context, door->fd, POLLIN, FILCH_NEVER, answer_door, door) >= 0)
			return true;
		filch_sleep_until(filch_after(BACK_OFF));
	}
	return false;
}

/*
 * Let everybody in who is there. Whoever came last, mostly the only one, is served right here, once
 * the door is looked after again: to wake another worker for a task as short as most are would cost
 * more than the task.
 */
static void answer_door(int events, void *arg)
{
	struct door *door = arg;
	struct connection *last = NULL; /* counted: the door may be closed for good before its turn */
	unsigned turn = 0;
	int next;

	(void)events; /* it shows when we accept */
	while ((next = let_in(door, last ? 0 : FILCH_NEVER, 0)) >= 0 || next == -EBUSY) {
		if (last)
			connection_start(last);
		last = next == -EBUSY ? NULL : connection_begin(door->server, next);
		if (++turn % TURN == 0)
			filch_yield();
	}
	if (next != -ETIMEDOUT || !wait_at(door))
		leave_door(door);
	if (last)
		connection_serve(last);
}

void listener_widen(struct server *s, unsigned doors)
{
	struct listener *l = &s->listener;
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	/* Each door keeps a place for the next one who comes: so few of them must not matter. */
	if (s->clients.most / PLACES < doors)
		doors = (unsigned)(s->clients.most / PLACES);
	if (l->alone || getsockname(l->door[0].fd, (struct sockaddr *)&address, &length))
		return;
	for (; l->doors < doors && l->doors < DOORS; l->doors++) {
		int fd = bind_to((struct sockaddr *)&address, length, false);

		if (fd < 0)
			return;
		l->door[l->doors].fd = fd;
	}
}

int listener_start(struct server *s)
{
	const struct executor *e = s->executor;
	struct listener *l = &s->listener;
	int error = 0;

	atomic_init(&l->open, l->doors);
	for (unsigned i = 0; i < l->doors && error >= 0; i++) {
		struct door *door = &l->door[i];

		door->server = s;
		error = e->when ? e->when(e->context, door->fd, POLLIN, FILCH_NEVER, answer_door, door)
		                : e->accept(e->context, keep_door, door);
	}
	return error;
}

void listener_stop(struct server *s)
{
	struct listener *l = &s->listener;

	for (unsigned i = 0; i < l->doors; i++)
		l->door[i].last = fcntl(l->door[i].fd, F_DUPFD_CLOEXEC, 0);
	atomic_store(&l->stopping, true);
	for (unsigned i = 0; i < l->doors; i++) {
		filch_close(l->door[i].fd); /* an accept in progress answers -ECANCELED */
		filch_sem_post(&s->clients.places);
	}
}
