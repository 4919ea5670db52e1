/* SPDX-License-Identifier: MIT */
#include "target.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdint.h>

/* The first place from at on with more than a letter, a digit or one of -._~!$&'()*+,;= */
static size_t skip_plain(struct text t, size_t at)
{
	static const uint64_t plain[4] = { 0x2bff7fd200000000, 0x47fffffe87fffffe };

	for (; at < t.length; at++) {
		unsigned char c = (unsigned char)t.at[at];

		if (!(plain[c / 64] >> c % 64 & 1))
			break;
	}
	return at;
}

static bool escape(struct text t, size_t at)
{
	return t.length - at > 2 && t.at[at] == '%' && isxdigit((unsigned char)t.at[at + 1]) &&
	       isxdigit((unsigned char)t.at[at + 2]);
}

/* Where "[address]" ends, at the beginning of t; 0: there is none. */
static size_t skip_address(struct text t)
{
	const char *end = memchr(t.at, ']', t.length);
	char name[INET6_ADDRSTRLEN] = "";
	struct in6_addr address;
	size_t n = end ? (size_t)(end - t.at) - 1 : 0;

	if (!n || n >= sizeof(name))
		return 0;
	memcpy(name, t.at + 1, n);
	return strlen(name) == n && inet_pton(AF_INET6, name, &address) == 1 ? n + 2 : 0;
}

bool host_valid(struct text t)
{
	size_t at = skip_plain(t, 0);

	if (at == t.length)
		return true;
	if (t.at[0] == '[')
		at = skip_address(t);
	else
		while (escape(t, at))
			at = skip_plain(t, at + 3);
	if (!at || at == t.length)
		return at > 0;
	return t.at[at] == ':' && text_digits((struct text){ t.at + at + 1, t.length - at - 1 });
}

/* The authority counts, whatever Host says; all of them are this server, but none by TLS. */
static int set_absolute(struct request *q, struct text url)
{
	const char *mark = memmem(url.at, url.length, "://", 3), *slash;
	struct text scheme = { url.at, mark ? (size_t)(mark - url.at) : 0 }, authority;
	bool secure = text_is(scheme, "https");

	if (!secure && !text_is(scheme, "http"))
		return 400;
	authority.at = mark + 3;
	authority.length = url.length - scheme.length - 3;
	slash = memchr(authority.at, '/', authority.length);
	q->path = (struct text){ "/", 1 };
	if (slash) {
		q->path.at = slash;
		q->path.length = authority.length - (size_t)(slash - authority.at);
		authority.length -= q->path.length;
	}
	if (!authority.length || !host_valid(authority))
		return 400;
	return secure ? 421 : 0;
}

int target_set(struct request *q, struct text url)
{
	const char *mark;

	q->target = url;
	if (q->method == HTTP_CONNECT || text_is(url, "*")) {
		q->path = url;
		return q->method == HTTP_CONNECT || q->method == HTTP_OPTIONS ? 0 : 400;
	}
	if (memchr(url.at, '#', url.length))
		return 400;
	mark = memchr(url.at, '?', url.length);
	q->query = (struct text){ mark ? mark + 1 : "", 0 };
	if (mark) {
		q->query.length = (size_t)(url.at + url.length - q->query.at);
		url.length = (size_t)(mark - url.at);
	}
	q->path = url;
	return url.at[0] == '/' ? 0 : set_absolute(q, url);
}
