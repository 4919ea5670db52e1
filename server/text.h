/* SPDX-License-Identifier: MIT */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>

struct text { /* not terminated: a piece of something longer */
	const char *at;
	size_t length;
};

#endif
