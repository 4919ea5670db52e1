/* SPDX-License-Identifier: MIT */
/* GET /files/PATH */
#ifndef FILES_H
#define FILES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "conditions.h"

struct reply;
struct request;
struct server;

#define FILE_CACHED 65536 /* a larger file is sent from its descriptor, time after time */

/* One form of a file, as it was at some moment. Shared by the cache and those who send it. */
struct file {
	atomic_uint users;
	int fd; /* -1: all of it is in content */
	bool young; /* not to be kept */
	size_t size;
	struct validators validators;
	const char *type;
	char etag[56];
	char headers[224];   /* those that every answer has */
	char content[];
};

void file_put(struct file *f); /* one user less */

void files_answer(struct server *s, const struct request *q, struct reply *r);

#endif
