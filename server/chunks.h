/* SPDX-License-Identifier: MIT */
/*
 * A body in chunks (RFC 9112 7.1). Not by llhttp, which lets pass what another reader of the same
 * bytes may take for the end, or for no end; here what the grammar does not have is refused. Blanks
 * around the parts of an extension, which it has, and nobody should send, are refused too.
 */
#ifndef CHUNKS_H
#define CHUNKS_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "options.h"

struct chunks { /* all zero: before the first byte */
	int place;
	int status; /* malformed or too large: what to answer */
	bool whole;
	size_t left;   /* of a chunk, or what its size is so far */
	size_t excess; /* bytes that are not data, beyond what chunks of that size need */
};

/*
 * Takes what is the body's of length bytes: data goes into body, the rest, checked, nowhere. How
 * many they were, unless there is a status then.
 */
size_t chunks_feed(struct chunks *c, struct buffer *body, const struct request_limits *limits,
                   const char *from, size_t length);

#endif
