/* SPDX-License-Identifier: MIT */
/*
 * What a worker has in hand, so that beginning an item needs no memory: spare stacks, each of which
 * lies or begins in the loop, and areas of slots for tasks that fork.
 */
#ifndef HAND_H
#define HAND_H

#include "worker.h"

void get_spares(struct worker *w);               /* some more, if there is memory */
struct stack *take_spare(struct worker *w);      /* one that is there */
void keep_spare(struct worker *w, void *stack);  /* with the slots that it was lent */
void give_spares(struct worker *w, unsigned n);  /* all but the last n, to other workers */

struct slots *take_slots(struct worker *w);         /* that are there */
void drop_slots(struct worker *w, struct stack *s); /* without a frame it lends them no longer */
void trim_slots(struct worker *w);                  /* give back what is too much */
void give_slots(struct worker *w);                  /* free them all */

bool take_in_hand(struct worker *w); /* one of both, at least */

static inline bool can_begin(struct worker *w)
{
	return (w->spares && w->slots) || take_in_hand(w);
}

#endif
