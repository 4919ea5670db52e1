/* SPDX-License-Identifier: MIT */
/*
 * A port: where threads outside the pool submit. One at a time is in it, and leaves tasks in a
 * queue that everybody takes from; who finds it occupied goes to another port. The argument is in
 * port.c.
 */
#ifndef PORT_H
#define PORT_H

#include "deque.h"
#include "lock.h"
#include "node.h"

#define PORTS 4 /* of each worker: a thread that loses its processor inside blocks one */

struct port {
	/* Tasks that were admitted, in steps of PORT_ONE, and LOCKED: somebody is in it. */
	uint64_t word __attribute__((aligned(CACHE_LINE)));
	struct nodes nodes;          /* memory for tasks, of whoever is in it */
	struct deque arrived;        /* owned by whoever is in it */
};

#define PORT_ONE ((uint64_t)2)

int port_init(struct port *p); /* 0 or -ENOMEM */
void port_destroy(struct port *p);

/* Go in, and count one task as admitted. False if somebody is there. */
static inline bool port_enter(struct port *p)
{
	uint64_t word = load_relaxed(&p->word); /* relaxed: the CAS checks it */

	/* Seq_cst for the count: see admit() in task.c. */
	return !(word & LOCKED) && cas_seq(&p->word, &word, word + PORT_ONE + LOCKED);
}

static inline void port_leave(struct port *p)
{
	/* Relaxed: nobody else writes to it now. */
	unlock(&p->word, load_relaxed(&p->word) - LOCKED);
}

static inline uint64_t port_admitted(const struct port *p)
{
	return load_seq(&p->word) / PORT_ONE;
}

#endif
