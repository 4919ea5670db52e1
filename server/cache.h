/* SPDX-License-Identifier: MIT */
/*
 * Small files that are asked for again and again.
 *
 * There is a part for each worker, with a lock that is only ever tried: whoever finds it taken does
 * without the cache. So no request waits for another, or for cache_drop(). A file is looked for on
 * disk again when it has been here for a second.
 */
#ifndef CACHE_H
#define CACHE_H

#include <filch.h>
#include <stdatomic.h>
#include <stdint.h>

#include "files.h"

#define CACHE_PARTS 16
#define CACHE_WAYS  4
#define CACHE_SETS  128
#define CACHE_BYTES (8u << 20) /* in each part */

struct cache_entry {
	uint64_t hash;
	char *key;
	struct file *file;
	int64_t loaded, used; /* ns */
};

struct cache {
	atomic_uint age; /* what was read from disk in another one is not wanted any more */
	struct cache_part {
		_Alignas(64) filch_mutex lock; /* protects the rest */
		size_t bytes;
		size_t hand; /* where room was made last */
		struct cache_entry entry[CACHE_SETS][CACHE_WAYS];
	} part[CACHE_PARTS];
};

/* The file for key, one user more, or NULL. */
struct file *cache_get(struct cache *c, const char *key);

/* Keep f, which was read when the cache had that age, or later. */
void cache_add(struct cache *c, const char *key, struct file *f, unsigned age);

void cache_drop(struct cache *c); /* empty it */

#endif
