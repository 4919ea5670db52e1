/* SPDX-License-Identifier: MIT */
/*
 * The request path under fuzzing: whatever bytes come, and however they are split, the requests that
 * come out of them are the same. With libFuzzer (`make fuzz`), or replaying files, and variations
 * of them, with the main() below (`make check`).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../server/request.h"

/* Small, so that short inputs reach them. */
static const struct request_limits limits = { .header = 512, .body = 128 };

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* ---- what came out -------------------------------------------------------------------------- */

static void note_text(struct buffer *out, const char *name, struct text t)
{
	buffer_print(out, " %s=%zu:", name, t.length);
	buffer_add(out, t.at, t.length);
}

static void note_request(struct buffer *out, const struct request *q)
{
	buffer_print(out, "%d keep=%d 1.0=%d", (int)q->method, q->keep_alive, q->http_1_0);
	note_text(out, "target", q->target);
	note_text(out, "path", q->path);
	note_text(out, "query", q->query);
	note_text(out, "body", (struct text){ q->body.data, q->body.length });
	for (int i = 0; i < HEADERS; i++)
		if (q->header[i].at)
			note_text(out, "header", q->header[i]);
	buffer_print(out, "\n");
}

/* ---- as a connection does it ---------------------------------------------------------------- */

struct reader {
	struct request request;
	struct buffer in;
	struct buffer out;
	size_t start;
	bool bad;
};

static void answer_all(struct reader *r)
{
	struct request *q = &r->request;
	enum progress progress = REQUEST_READY;

	while (!r->bad && progress == REQUEST_READY &&
	       request_begins(q, r->in.data, r->in.length, &r->start)) {
		progress = request_feed(q, r->in.data + r->start, r->in.length - r->start);
		if (progress == REQUEST_BAD) {
			buffer_print(&r->out, "refused: %d, to %d\n", q->status, (int)q->method);
			r->bad = true;
		} else if (progress == REQUEST_READY) {
			note_request(&r->out, q);
			r->start += q->used;
			request_reset(q, &limits);
		}
	}
	if (q->head && !r->bad) {
		request_forget(q);
		r->in.length = r->start + q->head;
	}
}

/* A block of just that size, so that a byte read beyond the end is seen, and at another address. */
static void receive(struct reader *r, const uint8_t *data, size_t n)
{
	size_t kept = r->in.length - r->start;
	char *block = malloc(kept + n + !(kept + n));

	if (!block)
		abort();
	if (kept)
		memcpy(block, r->in.data + r->start, kept);
	memcpy(block + kept, data, n);
	free(r->in.data);
	r->in = (struct buffer){ .data = block, .length = kept + n, .capacity = kept + n };
	r->start = 0;
	answer_all(r);
}

/* Pieces of up to most bytes; 0: all at once. */
static struct buffer read_in_pieces(const uint8_t *data, size_t size, size_t most, uint32_t seed)
{
	struct reader r = { .start = 0 };
	size_t n;

	request_reset(&r.request, &limits);
	for (size_t at = 0; at < size && !r.bad; at += n) {
		n = most ? 1 + next_random(&seed) % most : size;
		if (n > size - at)
			n = size - at;
		receive(&r, data + at, n);
	}
	buffer_free(&r.request.body);
	buffer_free(&r.in);
	return r.out;
}

static void compare(const struct buffer *whole, const uint8_t *data, size_t size, size_t most,
                    uint32_t seed)
{
	struct buffer split = read_in_pieces(data, size, most, seed);

	if (whole->length != split.length ||
	    (whole->length && memcmp(whole->data, split.data, whole->length) != 0)) {
		fprintf(stderr, "whole:\n%.*s\nin pieces of up to %zu:\n%.*s\n", (int)whole->length,
		        whole->data, most, (int)split.length, split.data);
		abort();
	}
	buffer_free(&split);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole = read_in_pieces(data, size, 0, 0);

	compare(&whole, data, size, 1, 0);
	for (uint32_t seed = 1; seed <= 3; seed++)
		compare(&whole, data, size, 40, seed);
	buffer_free(&whole);
	return 0;
}

/* ---- without libFuzzer ---------------------------------------------------------------------- */

#ifndef LIBFUZZER

#define LARGEST 8192

/* One of a few small changes, at a random place. */
static size_t vary(uint8_t *data, size_t size, uint32_t *seed)
{
	static const uint8_t bytes[] = "\r\n :\t,;/?%*0159aGHZ\x00\x7f\x80\xff";
	size_t at = size ? next_random(seed) % size : 0, n;

	switch (next_random(seed) % 4) {
	case 0: /* a byte more */
		if (size < LARGEST) {
			memmove(data + at + 1, data + at, size - at);
			data[at] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
			size++;
		}
		break;
	case 1: /* another byte */
		if (size)
			data[at] = bytes[next_random(seed) % (sizeof(bytes) - 1)];
		break;
	case 2: /* some bytes less */
		n = next_random(seed) % 8;
		n = n < size - at ? n : size - at;
		memmove(data + at, data + at + n, size - at - n);
		size -= n;
		break;
	case 3: /* some of it twice */
		n = next_random(seed) % 32;
		n = n < size - at ? n : size - at;
		if (size + n <= LARGEST) {
			memmove(data + at + n, data + at, size - at);
			size += n;
		}
		break;
	}
	return size;
}

static bool replay(const char *path, long rounds)
{
	static uint8_t original[LARGEST], data[LARGEST];
	FILE *file = fopen(path, "rb");
	uint32_t seed = 1;
	size_t length, size;

	if (!file)
		return false;
	length = fread(original, 1, sizeof(original), file);
	fclose(file);
	LLVMFuzzerTestOneInput(original, length);
	for (long i = 0; i < rounds; i++) {
		memcpy(data, original, length);
		size = length;
		for (int changes = 1 + (int)(next_random(&seed) % 4); changes; changes--)
			size = vary(data, size, &seed);
		LLVMFuzzerTestOneInput(data, size);
	}
	return true;
}

int main(int argc, char **argv)
{
	const char *percent = getenv("FILCH_TEST_PERCENT");
	long rounds = 300 * (percent ? atol(percent) : 1);
	int passed = 0;

	for (int i = 1; i < argc; i++)
		passed += replay(argv[i], rounds);
	printf("%d passed, %d failed\n", passed, argc - 1 - passed);
	return passed == argc - 1 && passed ? 0 : 1;
}

#endif
