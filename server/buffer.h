/* SPDX-License-Identifier: MIT */
/* Bytes that grow: answers yet to be sent, a body that comes in, a page in the making. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer { /* all zero is an empty one */
	char *data;
	size_t length;
	size_t capacity;
	bool incomplete; /* something did not find memory to be printed into it */
};

bool buffer_room(struct buffer *b, size_t more); /* false: no memory, nothing has changed */
bool buffer_add(struct buffer *b, const char *data, size_t n);
/* Of many of these one can be asked at the end: see incomplete. */
__attribute__((format(printf, 2, 3))) bool buffer_print(struct buffer *b, const char *format, ...);
void buffer_free(struct buffer *b); /* empty again, and usable */

#endif
