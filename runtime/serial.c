/* SPDX-License-Identifier: MIT */
/*
 * The serial elision: a frame whose slots are all private for good, so that every fork runs at its
 * join. It is what X_run does without a runtime or when it is refused.
 */
#include "fork.h"

/* Slots of last resort, when there is no memory for more: a quarter of the smallest stack. */
#define FEW 64

/* A slot that runs serially has the words in its state, with this mark. */
#define MARK ((uintptr_t)1)

struct filch_stack_ *serial_of(struct filch_slot_ *slot)
{
	/* Relaxed: only the mark counts, and it never changes. */
	uintptr_t state = (uintptr_t)load_relaxed(&slot->state);

	return state & MARK ? (struct filch_stack_ *)(state & ~MARK) : NULL;
}

/*
 * The words of a runtime's stack never have this bound: it is poisoned, or points into the stack's
 * slots.
 */
bool serial_words(struct filch_stack_ *words)
{
	return !load_relaxed(&words->bound); /* relaxed: never so, or always */
}

static void run_in(struct filch_slot_ *slot, struct filch_slot_ *first, struct filch_slot_ *limit)
{
	struct filch_stack_ words = { .limit = limit, .bound = NULL, .top = first };

	slot->state = (void *)((uintptr_t)&words | MARK);
	slot->run(slot);
}

static __attribute__((noinline)) void run_with_few(struct filch_slot_ *slot)
{
	struct filch_slot_ few[FEW];

	run_in(slot, few, few + FEW - 1);
}

/* What the last run has left for the next one: mapping it costs more than many a run. */
static struct slots *spare;

static void keep_spare(struct slots *slots)
{
	struct slots *none = NULL;

	slots_clear(slots);
	if (!cas_seq(&spare, &none, slots))
		slots_free(slots);
}

void run_serial(struct filch_slot_ *slot)
{
	struct slots *slots = exchange_seq(&spare, (struct slots *)NULL);

	if (!slots)
		slots = slots_new();
	if (!slots) {
		run_with_few(slot);
		return;
	}
	run_in(slot, slots->slot, slots_end(slots));
	keep_spare(slots);
}
