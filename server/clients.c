/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int clients_init(struct clients *all, size_t places)
{
	filch_mutex_init(&all->lock);
	filch_sem_init(&all->places, (unsigned)places);
	all->most = places;
	all->list.next = all->list.previous = &all->list;
	atomic_init(&all->count, 0);
	atomic_init(&all->stage, RUNNING);
	atomic_init(&all->open, true);
	all->all_gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return all->all_gone < 0 ? -errno : 0;
}

void clients_join(struct clients *all, struct client *one)
{
	atomic_fetch_add(&all->count, 1);
	filch_mutex_lock(&all->lock, FILCH_NEVER);
	one->next = all->list.next;
	one->previous = &all->list;
	one->next->previous = all->list.next = one;
	filch_mutex_unlock(&all->lock);
}

/*
 * The last client and the one who closes the door each change their own word and look at the
 * other's, in one order for all: at least one of them sees that everybody is gone.
 */
static void tell_if_gone(struct clients *all)
{
	if (!atomic_load(&all->open) && !atomic_load(&all->count))
		eventfd_write(all->all_gone, 1);
}

void clients_leave(struct clients *all, struct client *one)
{
	filch_mutex_lock(&all->lock, FILCH_NEVER);
	one->next->previous = one->previous;
	one->previous->next = one->next;
	filch_mutex_unlock(&all->lock);
	filch_close(one->fd);
	filch_sem_post(&all->places);
	atomic_fetch_sub(&all->count, 1);
	tell_if_gone(all);
}

void clients_closed(struct clients *all)
{
	atomic_store(&all->open, false);
	tell_if_gone(all);
}

static bool must_go(enum stage stage, int state)
{
	return (state == CLIENT_IDLE && stage >= DRAINING) ||
	       (state == CLIENT_FRESH && stage >= HURRYING);
}

/*
 * SHUT_RD and not filch_close: a request that has arrived is still received and answered, and only
 * then comes the end.
 */
void clients_drain(struct clients *all, enum stage stage)
{
	atomic_store(&all->stage, (int)stage);
	filch_mutex_lock(&all->lock, FILCH_NEVER);
	for (struct client *one = all->list.next; one != &all->list; one = one->next)
		if (must_go(stage, atomic_load(&one->state)))
			shutdown(one->fd, SHUT_RD);
	filch_mutex_unlock(&all->lock);
}

/* State before stage; clients_drain() does it the other way round, so one of the two sees it. */
bool client_may_wait(struct clients *all, struct client *one, enum client_state state)
{
	atomic_store(&one->state, (int)state);
	return !must_go((enum stage)atomic_load(&all->stage), (int)state);
}
