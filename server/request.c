/* SPDX-License-Identifier: MIT */
/*
 * llhttp does the grammar and the framing, but for chunks. It is generous in places where two
 * readers of the same bytes could come to different ends, which is how requests are smuggled; so
 * whatever lies between the pieces that it reports (target, names, values) is compared with the one
 * form that RFC 9112 has for it. A bare CR or LF, a folded line and a space in a wrong place are
 * all refused by that one rule: no byte of a head remains unaccounted for.
 */
#include "request.h"

#include <string.h>

#include "target.h"

#define MAX_HEADERS 100 /* Apache's limit; nobody sends as many */
#define MAX_EMPTY   8   /* lines before a request; a client that sends any sends one */
#define NAME(name)  { name, sizeof(name) - 1 }

/* Several lines of these are one list. */
#define LISTS (1u << IF_MATCH | 1u << IF_NONE_MATCH | 1u << ACCEPT_ENCODING)

static const struct text names[HEADERS] = {
	[RANGE] = NAME("range"),
	[IF_RANGE] = NAME("if-range"),
	[IF_MATCH] = NAME("if-match"),
	[IF_NONE_MATCH] = NAME("if-none-match"),
	[IF_MODIFIED_SINCE] = NAME("if-modified-since"),
	[IF_UNMODIFIED_SINCE] = NAME("if-unmodified-since"),
	[ACCEPT_ENCODING] = NAME("accept-encoding"),
};

static int refuse(struct request *q, int status)
{
	if (!q->status)
		q->status = status;
	return -1;
}

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool crlf(const char *at)
{
	return at[0] == '\r' && at[1] == '\n';
}

/* ---- the request line ----------------------------------------------------------------------- */

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
	struct request *q = parser->data;

	if (!q->url_length) {
		q->url = (size_t)(at - q->first);
		q->method = parser->method; /* from now on: a refusal, too, depends on it */
	}
	q->url_length += length;
	return 0;
}

static int on_url_complete(llhttp_t *parser)
{
	struct request *q = parser->data;

	return q->url == strlen(llhttp_method_name(parser->method)) + 1 ? 0 : refuse(q, 400);
}

static bool known_version(const llhttp_t *parser)
{
	return parser->http_major == 1 && parser->http_minor <= 1;
}

static int on_version_complete(llhttp_t *parser)
{
	return known_version(parser) ? 0 : refuse(parser->data, 505);
}

/* HTTP/0.9: the line has ended, and llhttp waits for headers that will not come. */
static bool lacks_version(const struct request *q)
{
	size_t end = q->url + q->url_length;

	return !q->head && q->url_length && end < q->used && q->first[end] != ' ';
}

/* Where the request line ends, or 0 if its end is not " HTTP/1.x" CR LF. */
static size_t end_of_line(const struct request *q)
{
	size_t at = q->url + q->url_length;

	if (q->fed - at < 11 || memcmp(q->first + at, " HTTP/1.", 8) != 0 ||
	    !crlf(q->first + at + 9))
		return 0;
	return at + 11;
}

/* ---- headers -------------------------------------------------------------------------------- */

static void keep_header(struct request *q, struct text name, struct text value)
{
	for (unsigned i = 0; i < HEADERS; i++) {
		if (name.length != names[i].length || !text_is(name, names[i].at))
			continue;
		if (q->place[i]) {
			q->lists |= 1u << i & LISTS;
			return;
		}
		q->place[i] = (size_t)(value.at - q->first);
		q->header[i].length = value.length;
	}
}

/* Once the bytes do not move any more. */
static void place_headers(struct request *q)
{
	for (int i = 0; i < HEADERS; i++)
		if (q->place[i])
			q->header[i].at = q->first + q->place[i];
}

static void append(struct text *list, char *to, struct text value)
{
	if (list->length) {
		memcpy(to + list->length, ", ", 2);
		list->length += 2;
	}
	memcpy(to + list->length, value.at, value.length);
	list->length += value.length;
}

static struct text join(const struct request *q, const char *name, char *to)
{
	struct text head = { q->first, q->head }, line, list = { to, 0 };

	while (head.length) {
		line = text_cut(&head, '\r');
		text_cut(&head, '\n');
		if (text_is(text_cut(&line, ':'), name))
			append(&list, to, text_trim(line));
	}
	return list;
}

/*
 * RFC 9110 5.2. They are written behind the body, where a request has memory anyway, and do not need
 * more of it than the head did: what is ", " here was the end of a line and a name.
 */
static int join_lists(struct request *q)
{
	char *to;

	if (!q->lists)
		return 0;
	if (!buffer_room(&q->body, q->head))
		return refuse(q, 503);
	to = q->body.data + q->body.length;
	for (unsigned i = 0; i < HEADERS; i++) {
		if (!(q->lists >> i & 1))
			continue;
		q->header[i] = join(q, names[i].at, to);
		to += q->header[i].length;
	}
	return 0;
}

static void note_connection(struct request *q, struct text options)
{
	while (options.length) {
		struct text option = text_cut(&options, ',');

		q->closes |= text_is(option, "close");
		q->keeps |= text_is(option, "keep-alive");
	}
}

static void note_expect(struct request *q, struct text list)
{
	while (list.length) {
		struct text expectation = text_cut(&list, ',');

		if (text_is(expectation, "100-continue"))
			q->expects_continue = true;
		else if (expectation.length)
			q->expects_else = true;
	}
}

static int note_header(struct request *q, struct text name, struct text value)
{
	switch (name.length) {
	case 4:
		if (text_is(name, "host") && (++q->hosts > 1 || !host_valid(value)))
			return refuse(q, 400);
		break;
	case 6:
		if (text_is(name, "expect"))
			note_expect(q, value);
		break;
	case 10:
		if (text_is(name, "connection"))
			note_connection(q, value);
		break;
	case 14:
		if (text_is(name, "content-length") &&
		    (++q->lengths > 1 || !value.length || !text_digits(value)))
			return refuse(q, 400);
		break;
	case 17:
		/* one coding, and that one: anything else is a way to disagree about the length */
		if (text_is(name, "transfer-encoding") &&
		    (++q->encodings > 1 || !text_is(value, "chunked")))
			return refuse(q, 400);
		break;
	}
	keep_header(q, name, value);
	return 0;
}

/* Where the header that was reported last ends, after a look at it; 0: it is refused. */
static size_t end_of_header(struct request *q)
{
	size_t at = q->name + q->name_length;
	struct text value;

	if (!q->name_length || q->first[at++] != ':')
		return 0;
	while (blank(q->first[at]))
		at++;
	if (q->value_length && q->value != at)
		return 0;
	value = (struct text){ q->first + at, q->value_length };
	at += q->value_length;
	while (blank(q->first[at]))
		at++;
	if (!crlf(q->first + at))
		return 0;
	while (value.length && blank(value.at[value.length - 1]))
		value.length--;
	if (note_header(q, (struct text){ q->first + q->name, q->name_length }, value))
		return 0;
	return at + 2;
}

/* Where what came before the header that begins, or before the empty line, ends. */
static size_t end_of_previous(struct request *q)
{
	return q->headers ? end_of_header(q) : end_of_line(q);
}

static size_t place_of(const struct request *q, const char *at)
{
	return (size_t)(at - q->first);
}

static int on_field(llhttp_t *parser, const char *at, size_t length)
{
	struct request *q = parser->data;
	size_t place = place_of(q, at);

	if (q->name_length && q->name + q->name_length == place) {
		q->name_length += length;
		return 0;
	}
	if (end_of_previous(q) != place)
		return refuse(q, 400);
	q->headers++;
	q->name = place;
	q->name_length = length;
	q->value_length = 0;
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t length)
{
	struct request *q = parser->data;
	size_t place = place_of(q, at);

	if (!q->value_length)
		q->value = place;
	else if (q->value + q->value_length != place)
		return refuse(q, 400); /* goes on after a fold */
	q->value_length += length;
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct request *q = parser->data;
	size_t end = end_of_previous(q);

	if (!end || !crlf(q->first + end))
		return refuse(q, 400);
	q->head = end + 2;
	q->http_1_0 = parser->http_minor == 0;
	q->keep_alive = !q->closes && (q->keeps || !q->http_1_0);
	/* Only now, when the whole head is known to be well formed: the answer must not tell how it
	 * was split. */
	if (q->headers > MAX_HEADERS)
		return refuse(q, 431);
	if (q->expects_else)
		return refuse(q, 417);
	if (!q->hosts && !q->http_1_0)
		return refuse(q, 400);
	if (q->encodings && (q->lengths || q->http_1_0))
		return refuse(q, 400);
	if (q->lengths && parser->content_length > q->limits->body)
		return refuse(q, 413);
	q->expects_100 = q->expects_continue && !q->http_1_0;
	return q->encodings ? HPE_PAUSED : 0; /* chunks are not left to llhttp */
}

/* ---- the body ------------------------------------------------------------------------------- */

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
	struct request *q = parser->data;

	if (length > q->limits->body - q->body.length)
		return refuse(q, 413);
	return buffer_add(&q->body, at, length) ? 0 : refuse(q, 503);
}

/* Only now, because the bytes may have moved since the head. */
static int complete(struct request *q)
{
	int status = target_set(q, (struct text){ q->first + q->url, q->url_length });

	place_headers(q);
	return status ? refuse(q, status) : join_lists(q);
}

static int on_message_complete(llhttp_t *parser)
{
	return complete(parser->data) ? -1 : HPE_PAUSED; /* what follows is another request's */
}

static const llhttp_settings_t settings = {
	.on_url = on_url,
	.on_url_complete = on_url_complete,
	.on_version_complete = on_version_complete,
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* ---- the whole ------------------------------------------------------------------------------ */

void request_reset(struct request *q, const struct request_limits *limits)
{
	struct buffer body = q->body;

	body.length = 0;
	memset(q, 0, offsetof(struct request, parser));
	q->body = body;
	q->limits = limits;
	llhttp_init(&q->parser, HTTP_REQUEST, &settings);
	q->parser.data = q;
}

bool request_begins(struct request *q, const char *data, size_t length, size_t *start)
{
	const char *at = data + *start, *end = data + length;

	if (q->used || *start == length || *at != '\r')
		return *start < length;
	for (; end - at >= 2 && crlf(at) && q->empty_lines < MAX_EMPTY; at += 2)
		q->empty_lines++;
	*start = (size_t)(at - data);
	return at < end && !(end - at == 1 && *at == '\r');
}

void request_forget(struct request *q)
{
	q->forgotten |= q->used > q->head;
	q->used = q->head;
}

/* A method that llhttp does not know: 501 if it is a word, and that shows by what follows it. */
static enum progress judge_method(struct request *q, size_t length)
{
	size_t at = 0;

	while (at < length && token_char(q->first[at]))
		at++;
	if (at == length && length < q->limits->header) {
		q->unknown_method = true;
		q->used = length;
		return REQUEST_MORE;
	}
	refuse(q, at == length ? 414 : at && q->first[at] == ' ' ? 501 : 400);
	return REQUEST_BAD;
}

static enum progress fail(struct request *q, llhttp_errno_t error, size_t length)
{
	if (q->status)
		return REQUEST_BAD;
	if (error == HPE_INVALID_METHOD && !q->url_length)
		return judge_method(q, length);
	/* What is wrong may be the first byte of the target. */
	q->method = q->parser.method;
	if (error == HPE_INVALID_VERSION) /* or rubbish after a good one */
		refuse(q, known_version(&q->parser) ? 400 : 505);
	else if (error == HPE_PAUSED_H2_UPGRADE)
		refuse(q, 505);
	else if (error == HPE_INVALID_CONSTANT && q->parser.method > HTTP_SOURCE)
		refuse(q, 501); /* RTSP's */
	else
		refuse(q, 400);
	return REQUEST_BAD;
}

static enum progress too_large(struct request *q)
{
	const char *line_end = memchr(q->first, '\n', q->used);

	refuse(q, line_end ? 431 : 414);
	return REQUEST_BAD;
}

static enum progress feed_chunks(struct request *q, size_t length)
{
	q->used += chunks_feed(&q->chunks, &q->body, q->limits, q->first + q->used,
	                       length - q->used);
	if (q->chunks.status)
		refuse(q, q->chunks.status);
	else if (q->chunks.whole)
		complete(q);
	return q->status ? REQUEST_BAD : q->chunks.whole ? REQUEST_READY : REQUEST_MORE;
}

enum progress request_feed(struct request *q, const char *first, size_t length)
{
	q->first = first;
	if (!q->used && *first == '\r') { /* llhttp would pass over any number of them */
		refuse(q, 400);
		return REQUEST_BAD;
	}
	if (q->unknown_method)
		return judge_method(q, length < q->limits->header ? length : q->limits->header);
	while (q->used < length) {
		/* No byte beyond the limit is looked at, or the answer would tell the split. */
		size_t end = q->head || length < q->limits->header ? length : q->limits->header;
		llhttp_errno_t error;

		if (q->head && q->encodings)
			return feed_chunks(q, length);
		q->fed = end;
		error = llhttp_execute(&q->parser, first + q->used, end - q->used);
		if (error == HPE_PAUSED && q->encodings) {
			q->used = q->head;
			continue;
		}
		if (error == HPE_PAUSED) {
			q->used = (size_t)(llhttp_get_error_pos(&q->parser) - first);
			return REQUEST_READY;
		}
		if (error != HPE_OK)
			return fail(q, error, end);
		q->used = end;
		if (!q->head && end == q->limits->header)
			return too_large(q);
	}
	if (lacks_version(q)) {
		refuse(q, 400);
		return REQUEST_BAD;
	}
	return REQUEST_MORE;
}
