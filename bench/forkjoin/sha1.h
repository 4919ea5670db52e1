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

static inline uint32_t sha1_choose(uint32_t b, uint32_t c, uint32_t d)
{
	return d ^ (b & (c ^ d));
}

static inline uint32_t sha1_parity(uint32_t b, uint32_t c, uint32_t d)
{
	return b ^ c ^ d;
}

static inline uint32_t sha1_majority(uint32_t b, uint32_t c, uint32_t d)
{
	return (b & c) | (d & (b | c));
}

typedef uint32_t sha1_mix(uint32_t b, uint32_t c, uint32_t d);

#define SHA1_ROUND(a, b, c, d, e, i) \
	(s[e] += rotated(s[a], 5) + mix(s[b], s[c], s[d]) + constant + w[i], \
	 s[b] = rotated(s[b], 30))

/* Twenty rounds; after five, each word is back in its place. */
static inline __attribute__((always_inline)) void sha1_quarter(uint32_t s[5], const uint32_t *w,
                                                               sha1_mix *mix, uint32_t constant)
{
	for (int t = 0; t < 20; t += 5, w += 5) {
		SHA1_ROUND(0, 1, 2, 3, 4, 0);
		SHA1_ROUND(4, 0, 1, 2, 3, 1);
		SHA1_ROUND(3, 4, 0, 1, 2, 2);
		SHA1_ROUND(2, 3, 4, 0, 1, 3);
		SHA1_ROUND(1, 2, 3, 4, 0, 4);
	}
}

static inline void sha1(const uint32_t *message, unsigned words, uint32_t out[SHA1_WORDS])
{
	static const uint32_t start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
		                           0xc3d2e1f0 };
	uint32_t w[80] = { 0 }, s[5];

	memcpy(w, message, words * sizeof *w);
	w[words] = 0x80000000;
	w[15] = words * 32;
	for (int t = 16; t < 80; t++)
		w[t] = rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	memcpy(s, start, sizeof s);
	sha1_quarter(s, w, sha1_choose, 0x5a827999);
	sha1_quarter(s, w + 20, sha1_parity, 0x6ed9eba1);
	sha1_quarter(s, w + 40, sha1_majority, 0x8f1bbcdc);
	sha1_quarter(s, w + 60, sha1_parity, 0xca62c1d6);
	for (int i = 0; i < 5; i++)
		out[i] = start[i] + s[i];
}

#undef SHA1_ROUND

#endif
