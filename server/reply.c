/* SPDX-License-Identifier: MIT */
#include "reply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "date.h"
#include "files.h"

#define LONGEST_HEAD 320 /* all of reply_head() but type and headers */

struct status {
	int code;
	unsigned length;
	const char *line;
};

#define STATUS(code, reason) \
	{ \
		code, sizeof("HTTP/1.1 " #code " " reason "\r\nServer: filchd\r\nDate: ") - 1, \
			"HTTP/1.1 " #code " " reason "\r\nServer: filchd\r\nDate: " \
	}

static const struct status statuses[] = {
	STATUS(200, "OK"),
	STATUS(206, "Partial Content"),
	STATUS(301, "Moved Permanently"),
	STATUS(304, "Not Modified"),
	STATUS(400, "Bad Request"),
	STATUS(404, "Not Found"),
	STATUS(405, "Method Not Allowed"),
	STATUS(408, "Request Timeout"),
	STATUS(412, "Precondition Failed"),
	STATUS(413, "Content Too Large"),
	STATUS(414, "URI Too Long"),
	STATUS(416, "Range Not Satisfiable"),
	STATUS(417, "Expectation Failed"),
	STATUS(421, "Misdirected Request"),
	STATUS(431, "Request Header Fields Too Large"),
	STATUS(501, "Not Implemented"),
	STATUS(503, "Service Unavailable"),
	STATUS(505, "HTTP Version Not Supported"),
	STATUS(500, "Internal Server Error"), /* last: also what any other number becomes */
};

static const struct status *status_of(int code)
{
	const struct status *s = statuses;

	while (s->code != code && s < statuses + sizeof(statuses) / sizeof(*statuses) - 1)
		s++;
	return s;
}

void reply_init(struct reply *r)
{
	r->status = 200;
	r->type = "text/plain";
	r->headers = r->more = "";
	r->body = "";
	r->length = 0;
	r->file = NULL;
	r->page = (struct buffer){ 0 };
}

void reply_text(struct reply *r, const char *text)
{
	r->body = text;
	r->length = strlen(text);
}

void reply_page(struct reply *r, const char *type)
{
	if (r->page.incomplete) {
		reply_error(r, 503, NULL);
		return;
	}
	r->type = type;
	r->body = r->page.data;
	r->length = r->page.length;
}

void reply_error(struct reply *r, int status, const char *why)
{
	const struct status *s = status_of(status);
	const char *reason = s->line + sizeof("HTTP/1.1 ") - 1;

	r->status = s->code;
	r->type = "text/plain";
	snprintf(r->text, sizeof(r->text), "%.*s%s%s\n", (int)strcspn(reason, "\r"), reason,
	         why ? ": " : "", why ? why : "");
	reply_text(r, r->text);
}

void reply_done(struct reply *r)
{
	buffer_free(&r->page);
	if (r->file)
		file_put(r->file);
}

/*
 * The date, made once a second and a thread. The address of a thread_local must not survive a
 * wait (the task may go on in another thread), hence noinline.
 */
__attribute__((noinline)) static void put_date(char *to)
{
	static _Thread_local struct {
		time_t second;
		char text[DATE_LENGTH + 1];
	} cache;
	time_t now = time(NULL);

	if (now != cache.second) {
		date_print(cache.text, now);
		cache.second = now;
	}
	memcpy(to, cache.text, DATE_LENGTH);
}

static char *put(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

#define PUT(to, literal) put(to, literal, sizeof(literal) - 1)

static char *put_number(char *to, size_t n)
{
	char digits[24], *first = digits + sizeof(digits);

	do
		*--first = (char)('0' + n % 10);
	while (n /= 10);
	return put(to, first, (size_t)(digits + sizeof(digits) - first));
}

bool reply_head(struct buffer *out, const struct reply *r, enum reply_connection connection)
{
	const struct status *s = status_of(r->status);
	size_t type = strlen(r->type), headers = strlen(r->headers), more = strlen(r->more);
	char *to;

	if (!buffer_room(out, LONGEST_HEAD + type + headers + more))
		return false;
	to = put(out->data + out->length, s->line, s->length);
	put_date(to);
	to += DATE_LENGTH;
	if (r->status != 304) {
		to = PUT(to, "\r\nContent-Type: ");
		to = put(to, r->type, type);
		to = PUT(to, "\r\nContent-Length: ");
		to = put_number(to, r->length);
	}
	if (connection == REPLY_CLOSE)
		to = PUT(to, "\r\nConnection: close");
	else if (connection == REPLY_KEEP_ALIVE)
		to = PUT(to, "\r\nConnection: keep-alive");
	to = PUT(to, "\r\n");
	to = put(to, r->headers, headers);
	to = put(to, r->more, more);
	to = PUT(to, "\r\n");
	out->length = (size_t)(to - out->data);
	return true;
}
