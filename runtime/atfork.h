/* SPDX-License-Identifier: MIT */
/*
 * What fork(2) leaves of a process: the argument is in atfork.c.
 */
#ifndef ATFORK_H
#define ATFORK_H

struct filch;

void atfork_install(void); /* the handlers, once in a process */

/* A runtime lives between these. */
void runtimes_add(struct filch *rt);
void runtimes_remove(struct filch *rt);

/* All that live: none of them ends meanwhile. */
void runtimes_each(void (*visit)(struct filch *rt));

#endif
