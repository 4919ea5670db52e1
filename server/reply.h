/* SPDX-License-Identifier: MIT */
/* One response: what a route fills in, and how it goes out. */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct reply {
	int status;
	const char *type;
	const char *headers; /* more header lines, each with its CR LF */
	const char *body;
	size_t length;
	char text[80];      /* room for a short body */
	struct buffer page; /* room for a long one; whoever sends the reply frees it */
};

void reply_init(struct reply *r);                               /* 200, empty, text/plain */
void reply_text(struct reply *r, const char *text);             /* text must outlive the reply */
void reply_page(struct reply *r, const char *type);             /* what was printed into r->page */
void reply_error(struct reply *r, int status, const char *why); /* a short page; why may be NULL */

enum reply_connection { REPLY_DEFAULT, REPLY_CLOSE, REPLY_KEEP_ALIVE };

/* Add status line and headers to out; the body is the caller's. False: no memory. */
bool reply_head(struct buffer *out, const struct reply *r, enum reply_connection connection);

#endif
