/* SPDX-License-Identifier: MIT */
/*
 * One step for each byte, but for data, by the grammar of RFC 9112 7.1 and 7.1.1:
 *
 *	body      = *( size *extension CRLF data CRLF ) 1*"0" *extension CRLF *( trailer CRLF ) CRLF
 *	extension = ";" token [ "=" ( token / quoted-string ) ]
 *	trailer   = token ":" *( text )
 *
 * A place says what comes next, and each byte that it does not name leads to BAD; nothing leads out
 * of there. So what is taken for whole is a body by this grammar, and ends where another reader of it
 * ends too.
 */
#include "chunks.h"

#include <stdint.h>

#include "text.h"

#define NEEDED 16 /* bytes around a chunk that nobody minds: its size, the ends of lines */

enum place {
	SIZE, /* the beginning of one, and what comes after it; so with the others */
	SIZE_ON,
	EXTENSION,
	EXTENSION_ON,
	VALUE,
	VALUE_ON,
	QUOTED,
	ESCAPED,
	QUOTED_END,
	SIZE_LF,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	TRAILER_ON,
	TRAILER_VALUE,
	TRAILER_LF,
	LAST_LF,
	WHOLE,
	BAD
};

/* Of a quoted string or a field value. */
static bool text_char(char c)
{
	return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static int hexadecimal(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 'a' - 'A';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum place only(bool right, enum place next)
{
	return right ? next : BAD;
}

/* A size, or a part of an extension, has ended. */
static enum place after_part(char c)
{
	return c == ';' ? EXTENSION : only(c == '\r', SIZE_LF);
}

static enum place size(struct chunks *c, char digit)
{
	int value = hexadecimal(digit);

	if (value < 0)
		return only(c->place == SIZE_ON, after_part(digit));
	if (c->left > SIZE_MAX >> 4)
		return BAD;
	c->left = c->left << 4 | (size_t)value;
	return SIZE_ON;
}

static enum place next(struct chunks *c, char ch)
{
	switch ((enum place)c->place) {
	case SIZE:
	case SIZE_ON:
		return size(c, ch);
	case EXTENSION:
		return only(token_char(ch), EXTENSION_ON);
	case EXTENSION_ON:
		return token_char(ch) ? EXTENSION_ON : ch == '=' ? VALUE : after_part(ch);
	case VALUE:
		return ch == '"' ? QUOTED : only(token_char(ch), VALUE_ON);
	case VALUE_ON:
		return token_char(ch) ? VALUE_ON : after_part(ch);
	case QUOTED:
		return ch == '"' ? QUOTED_END : ch == '\\' ? ESCAPED : only(text_char(ch), QUOTED);
	case ESCAPED:
		return only(text_char(ch), QUOTED);
	case QUOTED_END:
		return after_part(ch);
	case SIZE_LF:
		return only(ch == '\n', c->left ? DATA : TRAILER);
	case DATA_CR:
		return only(ch == '\r', DATA_LF);
	case DATA_LF:
		return only(ch == '\n', SIZE);
	case TRAILER:
		return ch == '\r' ? LAST_LF : only(token_char(ch), TRAILER_ON);
	case TRAILER_ON:
		return ch == ':' ? TRAILER_VALUE : only(token_char(ch), TRAILER_ON);
	case TRAILER_VALUE:
		return ch == '\r' ? TRAILER_LF : only(text_char(ch), TRAILER_VALUE);
	case TRAILER_LF:
		return only(ch == '\n', TRAILER);
	case LAST_LF:
		return only(ch == '\n', WHOLE);
	default:
		return BAD;
	}
}

static void forgive(struct chunks *c)
{
	size_t fair = NEEDED + c->left;

	c->excess = c->excess > fair ? c->excess - fair : 0;
}

/* Too much around the data is 400, as what is malformed: it is not what was asked to be kept. */
static int step(struct chunks *c, size_t room, size_t most, char ch)
{
	c->place = (int)next(c, ch);
	if (c->place == BAD || ++c->excess > most)
		return 400;
	if (c->place != DATA)
		return 0;
	forgive(c);
	return c->left > room ? 413 : 0;
}

static size_t take(struct chunks *c, struct buffer *body, const char *from, size_t length)
{
	size_t n = length < c->left ? length : c->left;

	if (!buffer_add(body, from, n))
		c->status = 503;
	c->left -= n;
	if (!c->left)
		c->place = DATA_CR;
	return n;
}

size_t chunks_feed(struct chunks *c, struct buffer *body, const struct request_limits *limits,
                   const char *from, size_t length)
{
	size_t at = 0;

	while (at < length && !c->status && !c->whole) {
		if (c->place == DATA) {
			at += take(c, body, from + at, length - at);
			continue;
		}
		c->status = step(c, limits->body - body->length, limits->header, from[at++]);
		c->whole = c->place == WHOLE;
	}
	return at;
}
