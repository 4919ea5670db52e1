/* SPDX-License-Identifier: MIT */
#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FRESH 1000000000ll /* ns */

/* To some milliseconds, for a fifth of the price. */
static int64_t about_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static uint64_t hash_of(const char *key) /* FNV-1a */
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3;
	return hash ^ hash >> 32;
}

static size_t size_of(const struct cache_entry *e)
{
	return sizeof(*e->file) + e->file->size + strlen(e->key) + 1;
}

static void clear(struct cache_part *p, struct cache_entry *e)
{
	if (!e->key)
		return;
	p->bytes -= size_of(e);
	file_put(e->file);
	free(e->key);
	*e = (struct cache_entry){ 0 };
}

/* This worker's part, locked; NULL: somebody else is in it. */
static struct cache_part *enter(struct cache *c)
{
	struct cache_part *p = &c->part[(unsigned)filch_worker() % CACHE_PARTS];

	return filch_mutex_trylock(&p->lock) ? NULL : p;
}

static struct cache_entry *find(struct cache_part *p, const char *key, uint64_t hash)
{
	struct cache_entry *set = p->entry[hash % CACHE_SETS];

	for (int i = 0; i < CACHE_WAYS; i++)
		if (set[i].hash == hash && set[i].key && strcmp(set[i].key, key) == 0)
			return &set[i];
	return NULL;
}

struct file *cache_get(struct cache *c, const char *key)
{
	struct cache_part *p = enter(c);
	struct cache_entry *e;
	struct file *f = NULL;
	int64_t now;

	if (!p)
		return NULL;
	e = find(p, key, hash_of(key));
	if (e) {
		now = about_now();
		if (now - e->loaded < FRESH) {
			e->used = now;
			f = e->file;
			atomic_fetch_add(&f->users, 1);
		}
	}
	filch_mutex_unlock(&p->lock);
	return f;
}

/* The older version, an empty place, or the one that was not used for the longest time. */
static struct cache_entry *place_for(struct cache_part *p, const char *key, uint64_t hash)
{
	struct cache_entry *set = p->entry[hash % CACHE_SETS], *place = find(p, key, hash);

	if (place)
		return place;
	place = set;
	for (int i = 1; i < CACHE_WAYS; i++) /* an empty one was last used at 0 */
		if (set[i].used < place->used)
			place = &set[i];
	return place;
}

void cache_add(struct cache *c, const char *key, struct file *f, unsigned age)
{
	uint64_t hash = hash_of(key);
	struct cache_part *p = enter(c);
	struct cache_entry *e;

	if (!p)
		return;
	e = place_for(p, key, hash);
	clear(p, e);
	if (atomic_load(&c->age) == age)
		e->key = strdup(key);
	if (e->key) {
		e->hash = hash;
		e->file = f;
		e->loaded = e->used = about_now();
		atomic_fetch_add(&f->users, 1);
		p->bytes += size_of(e);
	}
	while (p->bytes > CACHE_BYTES)
		clear(p, &p->entry[0][0] + p->hand++ % (CACHE_SETS * CACHE_WAYS));
	filch_mutex_unlock(&p->lock);
}

/* Age first: what is added after its part was cleared has seen it. */
void cache_drop(struct cache *c)
{
	atomic_fetch_add(&c->age, 1);
	for (int i = 0; i < CACHE_PARTS; i++) {
		struct cache_part *p = &c->part[i];

		filch_mutex_lock(&p->lock, FILCH_NEVER);
		for (size_t j = 0; j < CACHE_SETS * CACHE_WAYS; j++)
			clear(p, &p->entry[0][0] + j);
		filch_mutex_unlock(&p->lock);
	}
}
