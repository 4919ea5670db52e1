/* SPDX-License-Identifier: MIT */
/*
 * One request: fed with bytes as they arrive, in pieces of any size, it says when it is whole.
 * What comes out is the same however the bytes were split.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "chunks.h"
#include "options.h"
#include "text.h"

/* Headers that routes look at; the first of each, but all lines of a list. */
enum header {
	RANGE,
	IF_RANGE,
	IF_MATCH,
	IF_NONE_MATCH,
	IF_MODIFIED_SINCE,
	IF_UNMODIFIED_SINCE,
	ACCEPT_ENCODING,
	HEADERS
};

enum progress { REQUEST_MORE, REQUEST_READY, REQUEST_BAD };

struct request {
	/* for the one who answers, once it is READY: the texts lie in the caller's memory */
	struct text target, path, query; /* path and query are parts of the target */
	struct text header[HEADERS]; /* at is NULL: not given */
	struct buffer body;
	enum llhttp_method method;
	bool keep_alive;
	bool http_1_0;

	bool expects_100; /* known as soon as the head is whole */
	size_t head;      /* bytes of request line and headers; 0: not yet whole */
	size_t used;      /* bytes that belong to it so far */
	int status;       /* BAD: what to answer */

	/* what request.c remembers from piece to piece; places are offsets from the first byte */
	const struct request_limits *limits;
	const char *first;
	size_t fed; /* llhttp has seen what is before it */
	size_t url, url_length;
	size_t name, name_length, value, value_length;
	size_t place[HEADERS]; /* of header[] */
	struct chunks chunks;
	unsigned empty_lines, headers, hosts, lengths, encodings;
	unsigned lists; /* a bit for each of header[] that came in more than one line */
	bool forgotten; /* some of the body has been taken in, and is no more at first + head */
	bool unknown_method, expects_continue, expects_else, closes, keeps;
	llhttp_t parser;
};

/* Ready for the first byte; what the last one's body took can be used again. */
void request_reset(struct request *q, const struct request_limits *limits);

/* Since it was reset: is there anything of it, empty lines before it included? */
static inline bool request_begun(const struct request *q)
{
	return q->first || q->empty_lines;
}

/*
 * Passes over empty lines before a request, as RFC 9112 2.2 asks, but not over any number of them:
 * *start moves on. False: nothing of the request itself is there.
 */
bool request_begins(struct request *q, const char *data, size_t length, size_t *start);

/*
 * There are length bytes from first on, the request's first byte; q->used of them were there the
 * last time, and may have moved. READY: it ends at first + used. MORE with a whole head: bytes
 * beyond the head need not be kept, see request_forget().
 */
enum progress request_feed(struct request *q, const char *first, size_t length);

/* What follows the head has been taken in: the next feed has new bytes from first + head on. */
void request_forget(struct request *q);

#endif
