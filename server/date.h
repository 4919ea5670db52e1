/* SPDX-License-Identifier: MIT */
/* The dates of HTTP: RFC 9110 5.6.7. */
#ifndef DATE_H
#define DATE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define DATE_LENGTH 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

void date_print(char *to, time_t when); /* DATE_LENGTH bytes, and a NUL */

/* In any of its three forms; false: it is none. */
bool date_read(const char *at, size_t length, time_t *when);

#endif
