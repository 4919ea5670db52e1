/* SPDX-License-Identifier: MIT */
/*
 * An echo server on the loopback address: a task for each connection, as if it had a thread.
 * ./echo [PORT [CONNECTIONS]] ends after that many connections, or never; port 0 is any free one.
 *
 *	cc echo.c $(pkg-config --cflags --libs filch) -o echo && ./echo 7777
 */
#include <arpa/inet.h>
#include <errno.h>
#include <filch.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t SECOND = 1000000000;

static void serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buffer[4096]; /* on the task's own stack */
	ssize_t n, sent;

	/* A client that is silent for a minute, or does not read for ten seconds, is given up. */
	while ((n = filch_recv(fd, buffer, sizeof(buffer), 0, filch_after(60 * SECOND))) > 0) {
		int64_t deadline = filch_after(10 * SECOND);

		for (char *rest = buffer; n > 0; rest += sent, n -= sent) {
			sent = filch_send(fd, rest, (size_t)n, 0, deadline);
			if (sent < 0)
				goto out;
		}
	}
out:
	filch_close(fd);
}

/* Accepts connections until an error; returns it once the last connection has ended. */
static int accept_all(filch *rt, int listener, long connections)
{
	filch_group group;
	int fd = 0;

	filch_group_init(&group, rt);
	while (connections && fd >= 0) {
		fd = filch_accept(listener, NULL, NULL, FILCH_NEVER);
		if (fd >= 0) {
			connections--;
			if (filch_group_submit(&group, serve, (void *)(intptr_t)fd) != 0)
				filch_close(fd);
		} else if (fd == -EMFILE || fd == -ENFILE || fd == -ECONNABORTED) {
			fd = filch_sleep_until(filch_after(SECOND / 100)); /* try again */
		}
	}
	filch_group_wait(&group);
	return fd < 0 ? fd : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, err;
	filch *rt;

	addr.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7777));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, (struct sockaddr *)&addr, len) != 0 || listen(listener, 1024) != 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) != 0) {
		fprintf(stderr, "echo: cannot listen: %s\n", strerror(errno));
		return 1;
	}
	rt = filch_start(NULL);
	if (!rt) {
		fprintf(stderr, "echo: filch_start: %s\n", strerror(errno));
		return 1;
	}
	printf("listening on 127.0.0.1:%d\n", ntohs(addr.sin_port));
	fflush(stdout);
	err = accept_all(rt, listener, argc > 2 ? atol(argv[2]) : -1);
	filch_close(listener);
	filch_stop(rt);
	if (err)
		fprintf(stderr, "echo: filch_accept: %s\n", strerror(-err));
	return err != 0;
}
