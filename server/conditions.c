/* SPDX-License-Identifier: MIT */
#include "conditions.h"

#include <string.h>
#include <strings.h>

#include "date.h"
#include "request.h"
#include "text.h"

/* ---- only if -------------------------------------------------------------------------------- */

/* Our tags have no comma in them, so a list may be cut at each. weak: W/"x" is like "x" */
static bool lists(struct text list, const char *etag, bool weak)
{
	if (text_is(list, "*"))
		return true;
	while (list.length) {
		struct text tag = text_cut(&list, ',');

		if (weak && tag.length > 2 && tag.at[0] == 'W' && tag.at[1] == '/') {
			tag.at += 2;
			tag.length -= 2;
		}
		if (tag.length == strlen(etag) && memcmp(tag.at, etag, tag.length) == 0)
			return true;
	}
	return false;
}

/* Not changed since the date in t; a date that is none says nothing. */
static bool unchanged(struct text t, time_t modified, bool otherwise)
{
	time_t when;

	return date_read(t.at, t.length, &when) ? modified <= when : otherwise;
}

int conditions_status(const struct request *q, const struct validators *v)
{
	const struct text *h = q->header;

	if (h[IF_MATCH].at) {
		if (!lists(h[IF_MATCH], v->etag, false))
			return 412;
	} else if (h[IF_UNMODIFIED_SINCE].at &&
	           !unchanged(h[IF_UNMODIFIED_SINCE], v->modified, true)) {
		return 412;
	}
	if (h[IF_NONE_MATCH].at)
		return lists(h[IF_NONE_MATCH], v->etag, true) ? 304 : 200;
	if (h[IF_MODIFIED_SINCE].at && unchanged(h[IF_MODIFIED_SINCE], v->modified, false))
		return 304;
	return 200;
}

/* ---- a part --------------------------------------------------------------------------------- */

/* Digits only, and some. A number too large for what it counts is as good as the largest. */
static bool number(struct text t, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < t.length; i++) {
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
		if (__builtin_mul_overflow(*out, 10, out) ||
		    __builtin_add_overflow(*out, (size_t)(t.at[i] - '0'), out))
			*out = SIZE_MAX / 16; /* and stays as large with what follows */
	}
	return t.length > 0;
}

/* "from-to", "from-" or "-last": 206, 416, or 200 if it is none of these. */
static int one_range(struct text t, size_t size, struct range *range)
{
	const char *dash = memchr(t.at, '-', t.length);
	struct text left, right;
	size_t from = 0, to = SIZE_MAX;

	if (!dash)
		return 200;
	left = (struct text){ t.at, (size_t)(dash - t.at) };
	right = (struct text){ dash + 1, t.length - left.length - 1 };
	if ((left.length && !number(left, &from)) || (right.length && !number(right, &to)) ||
	    !(left.length + right.length))
		return 200;
	if (!left.length) { /* the last so many bytes: of nothing, all of it */
		if (!to || !size)
			return to ? 200 : 416;
		from = to < size ? size - to : 0;
		to = size - 1;
	} else if (to < from) {
		return 200;
	}
	if (from >= size)
		return 416;
	*range = (struct range){ from, (to < size ? to + 1 : size) - from };
	return 206;
}

/* A range of what the client already has a part of. By date only if that date is a strong one. */
static bool still_that(const struct request *q, const struct validators *v)
{
	struct text t = q->header[IF_RANGE];
	time_t when;

	if (!t.at)
		return true;
	if (t.length && t.at[0] == '"') /* a weak one, W/"x", is no date and never matches */
		return t.length == strlen(v->etag) && memcmp(t.at, v->etag, t.length) == 0;
	return date_read(t.at, t.length, &when) && when == v->modified && when < time(NULL) - 1;
}

int conditions_range(const struct request *q, const struct validators *v, size_t size,
                     struct range *range)
{
	struct text t = q->header[RANGE];

	*range = (struct range){ 0, size };
	if (!t.at || q->method != HTTP_GET || !text_is(text_cut(&t, '='), "bytes") || !still_that(q, v))
		return 200;
	return memchr(t.at, ',', t.length) ? 200 : one_range(text_trim(t), size, range);
}

/* ---- codings -------------------------------------------------------------------------------- */

/* ";q=0.5" in thousandths; without one 1000, and what is none is 0. */
static int weight(struct text parameters)
{
	struct text t = text_trim(parameters);
	int value = 0, place = 1000;

	if (!t.length)
		return 1000;
	if (t.length < 3 || strncasecmp(t.at, "q=", 2) != 0 || t.length > 7)
		return 0;
	for (size_t i = 2; i < t.length; i++) {
		if (i == 3 ? t.at[i] != '.' : t.at[i] < '0' || t.at[i] > '9')
			return 0;
		if (i == 3)
			continue;
		value += (t.at[i] - '0') * place;
		place /= 10;
	}
	return value > 1000 ? 0 : value;
}

void conditions_codings(const struct request *q, enum coding best[CODINGS])
{
	struct text list = q->header[ACCEPT_ENCODING];
	int gzip = -1, br = -1, any = 0, identity = -1;

	while (list.length) {
		struct text rest = text_cut(&list, ','), name = text_cut(&rest, ';');
		int q_value = weight(rest);

		if (text_is(name, "gzip") || text_is(name, "x-gzip"))
			gzip = q_value;
		else if (text_is(name, "br"))
			br = q_value;
		else if (text_is(name, "identity"))
			identity = q_value;
		else if (text_is(name, "*"))
			any = q_value;
	}
	gzip = gzip < 0 ? any : gzip;
	br = br < 0 ? any : br;
	/* Whoever prefers the plain file to one that is coded says so by a larger weight. */
	if (gzip < identity)
		gzip = 0;
	if (br < identity)
		br = 0;
	best[0] = br && br >= gzip ? CODING_BR : gzip ? CODING_GZIP : CODING_NONE;
	best[1] = best[0] == CODING_BR && gzip   ? CODING_GZIP
	          : best[0] == CODING_GZIP && br ? CODING_BR
	                                         : CODING_NONE;
	best[2] = CODING_NONE;
}
