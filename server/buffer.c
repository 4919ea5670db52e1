/* SPDX-License-Identifier: MIT */
#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool buffer_room(struct buffer *b, size_t more)
{
	size_t capacity = b->capacity ? b->capacity : 512;
	char *data;

	if (b->capacity - b->length >= more)
		return true;
	if (more > SIZE_MAX / 4 - b->length)
		return false;
	while (capacity - b->length < more)
		capacity *= 2;
	data = realloc(b->data, capacity);
	if (!data)
		return false;
	b->data = data;
	b->capacity = capacity;
	return true;
}

bool buffer_add(struct buffer *b, const char *data, size_t n)
{
	if (!n)
		return true;
	if (!buffer_room(b, n))
		return false;
	memcpy(b->data + b->length, data, n);
	b->length += n;
	return true;
}

bool buffer_print(struct buffer *b, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	b->incomplete |= n < 0 || !buffer_room(b, (size_t)n + 1);
	if (b->incomplete)
		return false;
	va_start(args, format);
	vsnprintf(b->data + b->length, (size_t)n + 1, format, args);
	va_end(args);
	b->length += (size_t)n;
	return true;
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){ 0 };
}
