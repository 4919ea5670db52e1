/* SPDX-License-Identifier: MIT */
/*
 * Channels: a ring under the lock of the word, and two lists, of which one at most is not empty. An
 * item goes from a sender to a receiver that waits without passing through the ring, and a
 * rendezvous is a ring of no places.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "include/filch.h"
#include "saved_errno.h"
#include "wait.h"

struct filch_chan {
	uint64_t word; /* the lock: protects everything below; VALUE_ONE: closed */
	void *receivers, *senders;
	size_t item_size, capacity;
	size_t first, count; /* of what is in the ring */
	char ring[];
};

#define CLOSED VALUE_ONE

filch_chan *filch_chan_new(size_t item_size, size_t capacity)
{
	filch_chan *ch;
	size_t bytes;
	int saved = errno;

	if (__builtin_mul_overflow(item_size, capacity, &bytes) ||
	    bytes > PTRDIFF_MAX - sizeof(*ch))
		return NULL;
	ch = calloc(1, sizeof(*ch) + bytes);
	restore_errno(saved);
	if (ch) {
		ch->item_size = item_size;
		ch->capacity = capacity;
	}
	return ch;
}

void filch_chan_free(filch_chan *ch)
{
	free(ch);
}

static char *place(filch_chan *ch, size_t i)
{
	return ch->ring + (ch->first + i) % ch->capacity * ch->item_size;
}

static void copy(filch_chan *ch, void *to, const void *from)
{
	if (ch->item_size)
		memcpy(to, from, ch->item_size);
}

static int done(filch_chan *ch, uint64_t word, struct waiter *woken, int result)
{
	unlock(&ch->word, word);
	if (woken)
		waiter_wake(woken);
	return result;
}

/* The item of a receiver that waits, or into the ring; 1 if there is no place. */
static int try_send(filch_chan *ch, uint64_t word, const void *item)
{
	struct waiter *receiver;

	if (word & CLOSED)
		return done(ch, word, NULL, -EPIPE);
	receiver = wait_take(&ch->receivers, 0);
	if (receiver) {
		copy(ch, receiver->value, item);
		return done(ch, word, receiver, 0);
	}
	if (ch->count == ch->capacity)
		return 1;
	copy(ch, place(ch, ch->count++), item);
	return done(ch, word, NULL, 0);
}

/*
 * From the ring, whose free place goes to a sender that waits, or from that sender; 1 if there is
 * no item.
 */
static int try_recv(filch_chan *ch, uint64_t word, void *item)
{
	struct waiter *sender;

	if (ch->count) {
		copy(ch, item, place(ch, 0));
		ch->first = (ch->first + 1) % ch->capacity;
		ch->count--;
		sender = wait_take(&ch->senders, 0);
		if (sender)
			copy(ch, place(ch, ch->count++), sender->value);
		return done(ch, word, sender, 0);
	}
	sender = wait_take(&ch->senders, 0);
	if (sender) {
		copy(ch, item, sender->value);
		return done(ch, word, sender, 0);
	}
	return word & CLOSED ? done(ch, word, NULL, -EPIPE) : 1;
}

int filch_chan_send(filch_chan *ch, const void *item, int64_t deadline)
{
	struct waiter thread, *w;
	uint64_t word = lock(&ch->word);
	int result = try_send(ch, word, item);

	if (result <= 0)
		return result;
	unlock(&ch->word, word);
	w = wait_begin(&thread, FOR_SEND, deadline);
	word = lock(&ch->word);
	result = try_send(ch, word, item);
	if (result <= 0)
		return result;
	w->value = (void *)(uintptr_t)item; /* only read */
	return wait_in(&ch->word, word, &ch->senders, w, deadline);
}

int filch_chan_recv(filch_chan *ch, void *item, int64_t deadline)
{
	struct waiter thread, *w;
	uint64_t word = lock(&ch->word);
	int result = try_recv(ch, word, item);

	if (result <= 0)
		return result;
	unlock(&ch->word, word);
	w = wait_begin(&thread, FOR_RECV, deadline);
	word = lock(&ch->word);
	result = try_recv(ch, word, item);
	if (result <= 0)
		return result;
	w->value = item;
	return wait_in(&ch->word, word, &ch->receivers, w, deadline);
}

void filch_chan_close(filch_chan *ch)
{
	uint64_t word = lock(&ch->word);
	struct waiter *chain = wait_take_all(&ch->receivers, -EPIPE, NULL);

	chain = wait_take_all(&ch->senders, -EPIPE, chain);
	unlock(&ch->word, word | CLOSED);
	waiters_wake(chain);
}
