/* SPDX-License-Identifier: MIT */
/*
 * What fork(2) leaves of a process: the argument is in atfork.c.
 */
#ifndef ATFORK_H
#define ATFORK_H

struct filch;

void atfork_install(void); /* the handlers, once in a process */

/* A runtime lives between these. */
void atfork_add(struct filch *rt);
void atfork_remove(struct filch *rt);

#endif
