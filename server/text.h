/* SPDX-License-Identifier: MIT */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct text { /* not terminated: a piece of something longer */
	const char *at;
	size_t length;
};

/* Letters in either case. */
static inline bool text_is(struct text t, const char *word)
{
	return t.length == strlen(word) && strncasecmp(t.at, word, t.length) == 0;
}

struct text text_trim(struct text t);

/* What is before the next separator, trimmed; *rest goes on behind it. */
struct text text_cut(struct text *rest, char separator);

bool text_digits(struct text t); /* nothing else; nothing at all is digits, too */

/* By RFC 9110 5.6.2, of which names are made. */
bool token_char(char c);

#endif
