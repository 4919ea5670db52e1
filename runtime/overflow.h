/* SPDX-License-Identifier: MIT */
/* What to say when a stack overflows, for programs that ask for it (FILCH_REPORT_OVERFLOW). */
#ifndef OVERFLOW_H
#define OVERFLOW_H

#include <stddef.h>

#include "include/filch.h"

/* The name of a function if the program exports it, or where it is, which addr2line tells. */
const char *function_name(filch_fn *fn, char *room, size_t size);

void overflow_install(
	void); /* the handler, chained before the one that is there; once in a process */
int overflow_begin_thread(void); /* an alternate stack for the calling worker; 0 or -ENOMEM */
void overflow_end_thread(void);

#endif
