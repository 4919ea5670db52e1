/* SPDX-License-Identifier: MIT */
/* One response: what a route fills in, and how it goes out. */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct file;

struct reply {
	int status;
	const char *type;
	const char *headers; /* more header lines, each with its CR LF */
	const char *more;    /* yet more of these */
	const char *body;
	size_t length;
	struct file *file;  /* NULL, or where the body is: in its descriptor if body is NULL */
	size_t from;        /* from there on */
	char text[80];      /* room for a short body */
	char line[96];      /* room for a header line */
	struct buffer page; /* room for a long one */
};

void reply_init(struct reply *r);                               /* 200, empty, text/plain */
void reply_text(struct reply *r, const char *text);             /* text must outlive the reply */
void reply_page(struct reply *r, const char *type);             /* what was printed into r->page */
void reply_error(struct reply *r, int status, const char *why); /* a short page; why may be NULL */

void reply_done(struct reply *r);                               /* it was sent, or will not be */

enum reply_connection { REPLY_DEFAULT, REPLY_CLOSE, REPLY_KEEP_ALIVE };

/* Add status line and headers to out; the body is the caller's. False: no memory. */
bool reply_head(struct buffer *out, const struct reply *r, enum reply_connection connection);

#endif
