/* SPDX-License-Identifier: MIT */
/*
 * The queue of a port is a deque (deque.c) whose owner is whoever is inside: the lock hands its
 * fields from one to the next, and as nobody pops, everybody may take several from the top at once.
 * A task is reachable when its push is done, so the protocol of park.c holds as for any queue, and a
 * thread that loses its processor inside has everything it pushed before within reach of all.
 *
 * A port is only ever tried. With all ports of its worker occupied a thread puts its task into the
 * inbox (inbox.c), so that no submit waits for another.
 *
 * It costs a submit two locked instructions, both on lines that belong to this port: entering, which
 * counts the task as well, and the push.
 *
 * Arrays that the queue outgrew are kept until the runtime is freed. Each is half of the next, so
 * together they are as big as the one in use at most; and threads outside need not be known to
 * liburcu.
 */
#include "port.h"

#include <stdlib.h>

/* deque_init() was told of no port; the array was told of its deque. */
static void keep(struct deque_array *old)
{
	struct port *p = container_of(old->for_retire[0], struct port, arrived);

	old->for_retire[0] = p->retired;
	p->retired = old;
}

int port_init(struct port *p)
{
	return deque_init(&p->arrived, 64, 0, keep);
}

void port_destroy(struct port *p)
{
	while (p->retired) {
		struct deque_array *next = p->retired->for_retire[0];

		free(p->retired);
		p->retired = next;
	}
	deque_destroy(&p->arrived);
}
