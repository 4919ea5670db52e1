/* SPDX-License-Identifier: MIT */
#include "clients.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

int clients_init(struct clients *all, size_t places)
{
	for (int i = 0; i < CLIENT_PARTS; i++) {
		struct client_part *p = &all->part[i];

		filch_mutex_init(&p->lock);
		p->list.next = p->list.previous = &p->list;
	}
	filch_sem_init(&all->places, (unsigned)places);
	all->most = places;
	atomic_init(&all->count, 0);
	atomic_init(&all->stage, RUNNING);
	atomic_init(&all->open, true);
	all->all_gone = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return all->all_gone < 0 ? -errno : 0;
}

static struct client_part *enter(struct clients *all, const struct client *one)
{
	struct client_part *p = &all->part[(unsigned)one->fd % CLIENT_PARTS];

	filch_mutex_lock(&p->lock, FILCH_NEVER);
	return p;
}

void clients_join(struct clients *all, struct client *one)
{
	struct client_part *p;

	atomic_fetch_add(&all->count, 1);
	p = enter(all, one);
	one->next = p->list.next;
	one->previous = &p->list;
	one->next->previous = p->list.next = one;
	filch_mutex_unlock(&p->lock);
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
	struct client_part *p = enter(all, one);

	one->next->previous = one->previous;
	one->previous->next = one->next;
	filch_mutex_unlock(&p->lock);
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
static void drain_part(struct client_part *p, enum stage stage)
{
	filch_mutex_lock(&p->lock, FILCH_NEVER);
	for (struct client *one = p->list.next; one != &p->list; one = one->next)
		if (must_go(stage, atomic_load(&one->state))) {
			atomic_store(&one->cut, true);
			shutdown(one->fd, SHUT_RD);
		}
	filch_mutex_unlock(&p->lock);
}

void clients_drain(struct clients *all, enum stage stage)
{
	atomic_store(&all->stage, (int)stage);
	for (int i = 0; i < CLIENT_PARTS; i++)
		drain_part(&all->part[i], stage);
}

/* State before stage; clients_drain() does it the other way round, so one of the two sees it. */
bool client_may_wait(struct clients *all, struct client *one, enum client_state state)
{
	atomic_store(&one->state, (int)state);
	return !must_go((enum stage)atomic_load(&all->stage), (int)state);
}
