/* SPDX-License-Identifier: MIT */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <filch.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "connection.h"
#include "server.h"

#define BACKLOG  4096               /* what the kernel's default, somaxconn, allows */
#define FIRST_FD 3                  /* of LISTEN_FDS */
#define BACK_OFF (50 * 1000 * 1000) /* ns; short enough to recover within a second */
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

static int bind_to(const struct addrinfo *address)
{
	int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* accepted sockets inherit it, which saves a call for each */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
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
	one = 1;
	setsockopt(FIRST_FD, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return FIRST_FD;
}

static void look_up_address(struct listener *l)
{
	struct sockaddr_in6 bound = { 0 }; /* the larger of the two */
	struct sockaddr_in *v4 = (struct sockaddr_in *)&bound;
	socklen_t size = sizeof(bound);
	char host[INET6_ADDRSTRLEN] = "";

	getsockname(l->fd, (struct sockaddr *)&bound, &size);
	if (bound.sin6_family != AF_INET && bound.sin6_family != AF_INET6) {
		snprintf(l->address, sizeof(l->address), "localhost"); /* a local socket */
		return;
	}
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

	atomic_init(&l->stopping, false);
	l->fd = inherited();
	if (l->fd < -1)
		return complain(o, "the socket of LISTEN_FDS does not listen", EXIT_FAILURE);
	if (l->fd >= 0) {
		look_up_address(l);
		return 0;
	}
	if (!split(o->listen, host, sizeof(host), &port))
		return complain(o, "is not HOST:PORT", EXIT_USAGE);
	error = getaddrinfo(host, port, &hints, &found);
	if (error)
		return complain(o, gai_strerror(error), EXIT_USAGE);
	l->fd = bind_to(found);
	freeaddrinfo(found);
	if (l->fd < 0)
		return complain(o, strerror(-l->fd), EXIT_FAILURE);
	look_up_address(l);
	return 0;
}

/* One more for the acceptor to look at, or an error. */
static int accept_one(struct server *s, int fd, int64_t deadline)
{
	int client = filch_accept(fd, NULL, NULL, deadline);

	if (client < 0)
		filch_sem_post(&s->clients.places);
	else
		connection_start(s, client);
	return client;
}

/* Errors that concern one connection, which is gone, and not the listener. */
static bool harmless(int error)
{
	return error == -ECONNABORTED || error == -EINTR || error == -EPROTO;
}

void listener_run(void *server)
{
	struct server *s = server;
	struct listener *l = &s->listener;
	unsigned turn = 0;
	int client;

	/* Who is beyond the limit waits in the backlog: a place comes first. */
	while (filch_sem_wait(&s->clients.places, FILCH_NEVER) == 0 && !atomic_load(&l->stopping)) {
		client = accept_one(s, l->fd, FILCH_NEVER);
		if (client >= 0 && ++turn % TURN == 0)
			filch_yield();
		/* Out of descriptors or memory: trying again at once would be a spin. */
		if (client < 0 && !harmless(client) && !atomic_load(&l->stopping))
			filch_sleep_until(filch_after(BACK_OFF));
	}
	/* Who had connected by then is served; the kernel would have reset them. */
	while (filch_sem_wait(&s->clients.places, 0) == 0 && accept_one(s, l->last, 0) >= 0)
		;
	filch_close(l->last);
	clients_closed(&s->clients);
}

void listener_stop(struct server *s)
{
	struct listener *l = &s->listener;

	l->last = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	atomic_store(&l->stopping, true);
	filch_close(l->fd); /* an accept in progress answers -ECANCELED */
	filch_sem_post(&s->clients.places);
}
