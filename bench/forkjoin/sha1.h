/* SPDX-License-Identifier: MIT */
/*
 * SHA-1 (FIPS 180-4) of a message that fits into one block, in 32-bit words: all that uts needs.
 */
#ifndef BENCH_SHA1_H
#define BENCH_SHA1_H

#include <stdint.h>
#include <string.h>

enum { SHA1_WORDS = 5 };

static inline uint32_t rotated(uint32_t x, int by)
{
	return x << by | x >> (32 - by);
}

/* The three ways to mix, each with its constant. */
#define SHA1_CHOOSE(b, c, d)   (((d) ^ ((b) & ((c) ^ (d)))) + 0x5a827999)
#define SHA1_PARITY(b, c, d)   (((b) ^ (c) ^ (d)) + 0x6ed9eba1)
#define SHA1_MAJORITY(b, c, d) ((((b) & (c)) | ((d) & ((b) | (c)))) + 0x8f1bbcdc)
#define SHA1_PARITY2(b, c, d)  (((b) ^ (c) ^ (d)) + 0xca62c1d6)

/* A round, and the word for 16 rounds later: of a loop for these gcc would make slow vectors. */
#define SHA1_ROUND(mix, a, b, c, d, e, t) \
	(e += rotated(a, 5) + mix(b, c, d) + w[t], b = rotated(b, 30), \
	 w[(t) + 16] = rotated(w[(t) + 13] ^ w[(t) + 8] ^ w[(t) + 2] ^ w[t], 1))

/* Twenty rounds, five at a time: then each word is back in its variable. */
#define SHA1_QUARTER(mix, from) \
	for (int t = (from); t < (from) + 20; t += 5) { \
		SHA1_ROUND(mix, a, b, c, d, e, t); \
		SHA1_ROUND(mix, e, a, b, c, d, t + 1); \
		SHA1_ROUND(mix, d, e, a, b, c, t + 2); \
		SHA1_ROUND(mix, c, d, e, a, b, t + 3); \
		SHA1_ROUND(mix, b, c, d, e, a, t + 4); \
	}

static inline void sha1(const uint32_t *message, unsigned words, uint32_t out[SHA1_WORDS])
{
	static const uint32_t start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
		                           0xc3d2e1f0 };
	uint32_t a = start[0], b = start[1], c = start[2], d = start[3], e = start[4];
	uint32_t w[80 + 16] = { 0 };

	memcpy(w, message, words * sizeof *w);
	w[words] = 0x80000000;
	w[15] = words * 32;
	SHA1_QUARTER(SHA1_CHOOSE, 0)
	SHA1_QUARTER(SHA1_PARITY, 20)
	SHA1_QUARTER(SHA1_MAJORITY, 40)
	SHA1_QUARTER(SHA1_PARITY2, 60)
	out[0] = start[0] + a;
	out[1] = start[1] + b;
	out[2] = start[2] + c;
	out[3] = start[3] + d;
	out[4] = start[4] + e;
}

#undef SHA1_CHOOSE
#undef SHA1_PARITY
#undef SHA1_MAJORITY
#undef SHA1_PARITY2
#undef SHA1_ROUND
#undef SHA1_QUARTER

#endif
