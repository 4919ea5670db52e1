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
 */
#include "port.h"

#include <stdlib.h>

int port_init(struct port *p)
{
	return deque_init(&p->arrived, 64, 0, deque_keep);
}

void port_destroy(struct port *p)
{
	deque_destroy(&p->arrived);
}
