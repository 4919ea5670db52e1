/* SPDX-License-Identifier: MIT */
/* One connection, served from its first byte to its last. */
#ifndef CONNECTION_H
#define CONNECTION_H

struct server;
struct connection;

/*
 * Count in the client on fd. Takes the descriptor, and its place, in any case. NULL: there is no
 * memory for it, and it was closed; else one of the two others comes next.
 */
struct connection *connection_begin(struct server *s, int fd);

void connection_start(struct connection *c); /* have it served, by somebody */

/* Serve it here, until its end or until it is idle; only where the executor has a when. */
void connection_serve(struct connection *c);

#endif
