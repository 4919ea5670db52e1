/* SPDX-License-Identifier: MIT */
#ifndef TARGET_H
#define TARGET_H

#include "request.h"
#include "text.h"

/* uri-host [ ":" port ], as RFC 3986 has it, or nothing at all; a port alone is not one. */
bool host_valid(struct text t);

/* The target of q, whose method is known, and its parts. 0, or what to answer. */
int target_set(struct request *q, struct text url);

#endif
