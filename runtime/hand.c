/* SPDX-License-Identifier: MIT */
#include "hand.h"

#define SPARES 64 /* stacks in hand, at most */
#define SLOTS  16 /* slot areas in hand, at most */

/* ---- stacks ---- */

void keep_spare(struct worker *w, void *stack)
{
	struct stack *s = stack;

	drop_slots(w, s);
	s->next = w->spares;
	w->spares = s;
	if (++w->spare_count > SPARES) {
		struct stack *last = s;

		for (int i = 1; i < STACK_BATCH; i++)
			last = last->next;
		w->spares = last->next;
		last->next = NULL;
		w->spare_count -= STACK_BATCH;
		stacks_put(&w->rt->stacks, s);
	}
}

struct stack *take_spare(struct worker *w)
{
	struct stack *s = w->spares;

	w->spares = s->next;
	w->spare_count--;
	return s;
}

void get_spares(struct worker *w)
{
	struct stack *list = stacks_get(&w->rt->stacks, worker_loop);

	while (list) {
		struct stack *s = list;

		list = s->next;
		s->rt = w->rt;
		s->item.run = worker_resume;
		s->next = w->spares;
		w->spares = s;
		w->spare_count++;
	}
}

void give_spares(struct worker *w, unsigned n)
{
	while (w->spare_count > n) {
		struct stack *s = take_spare(w);

		s->next = NULL;
		stacks_put(&w->rt->stacks, s);
	}
}

/* ---- slots ---- */

void drop_slots(struct worker *w, struct stack *s)
{
	if (!s->slots || s->frames)
		return;
	if (s->slots->deep)
		slots_clear(s->slots);
	s->slots->deep = false;
	s->slots->next = w->slots;
	w->slots = s->slots;
	set_slots(s, NULL);
}

struct slots *take_slots(struct worker *w)
{
	struct slots *s = w->slots;

	w->slots = s->next;
	return s;
}

void trim_slots(struct worker *w)
{
	unsigned n = 0;

	if (w->current->slots && w->current->slots->deep)
		drop_slots(w, w->current);
	for (struct slots *s = w->slots; s; s = s->next) {
		if (++n < SLOTS)
			continue;
		while (s->next) {
			struct slots *extra = s->next;

			s->next = extra->next;
			slots_free(extra);
		}
	}
}

void give_slots(struct worker *w)
{
	while (w->slots)
		slots_free(take_slots(w));
}

/* ---- both ---- */

bool take_in_hand(struct worker *w)
{
	if (!w->spares)
		get_spares(w);
	if (!w->slots)
		drop_slots(w, w->current); /* from the item before */
	if (!w->slots && (w->slots = slots_new()))
		w->slots->next = NULL;
	return w->spares && w->slots;
}
