/* SPDX-License-Identifier: MIT */
#include "text.h"

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

struct text text_trim(struct text t)
{
	for (; t.length && blank(*t.at); t.at++)
		t.length--;
	while (t.length && blank(t.at[t.length - 1]))
		t.length--;
	return t;
}

struct text text_cut(struct text *rest, char separator)
{
	const char *end = memchr(rest->at, separator, rest->length);
	struct text piece = { rest->at, end ? (size_t)(end - rest->at) : rest->length };
	size_t n = piece.length + (end ? 1 : 0);

	rest->at += n;
	rest->length -= n;
	return text_trim(piece);
}

bool text_digits(struct text t)
{
	for (size_t i = 0; i < t.length; i++)
		if (t.at[i] < '0' || t.at[i] > '9')
			return false;
	return true;
}

static bool alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool token_char(char c)
{
	return alphanumeric(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}
