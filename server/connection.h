/* SPDX-License-Identifier: MIT */
/* One connection, served from its first byte to its last. */
#ifndef CONNECTION_H
#define CONNECTION_H

struct server;

/* Have the connection on fd served. Takes the descriptor, and its place, in any case. */
void connection_start(struct server *s, int fd);

/* Serve it here, until its end or until it is idle; only where the executor has a when. */
void connection_serve(struct server *s, int fd);

#endif
