/* SPDX-License-Identifier: MIT */
/* What a request asks of the file that it names: only if..., only a part, in which coding. */
#ifndef CONDITIONS_H
#define CONDITIONS_H

#include <stddef.h>
#include <time.h>

struct request;

struct validators {
	const char *etag; /* a strong one */
	time_t modified;
};

struct range {
	size_t from, length;
};

/* RFC 9110 13.2.2: 200 (go on), 304 or 412. */
int conditions_status(const struct request *q, const struct validators *v);

/*
 * RFC 9110 14: 206 with the part of a file of that size, 416, or 200 where all of it is to be sent.
 * Several ranges are answered by the whole, as is allowed: no request makes us send more than that.
 */
int conditions_range(const struct request *q, const struct validators *v, size_t size,
                     struct range *range);

enum coding { CODING_NONE, CODING_GZIP, CODING_BR, CODINGS };

/* The codings that may be sent, best first, ended by CODING_NONE. */
void conditions_codings(const struct request *q, enum coding best[CODINGS]);

#endif
