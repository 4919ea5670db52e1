/* SPDX-License-Identifier: MIT */
/* One connection, served from its first byte to its last. */
#ifndef CONNECTION_H
#define CONNECTION_H

struct server;

/* Have the connection on fd served. Takes the descriptor, and its place, in any case. */
void connection_start(struct server *s, int fd);

#endif
