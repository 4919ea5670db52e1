/* SPDX-License-Identifier: MIT */
/*
 * Fork and join: the naive Fibonacci numbers, a task for each call. ./fib 40 [WORKERS]
 *
 *	cc -O2 fib.c $(pkg-config --cflags --libs filch) -o fib && ./fib 40
 */
#include <errno.h>
#include <filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* result, name, the name of its frame, then type and name of each argument */
FILCH_TASK(long, fib, frame, long, n)
{
	long right;

	if (n < 2)
		return n;
	fib_fork(&frame, n - 1);         /* an idle worker may take this one, */
	right = fib(frame, n - 2);       /* while this is a plain call; */
	return fib_join(&frame) + right; /* if nobody took it, the join calls it */
}

/* A whole number from 0 to max, or -1. */
static long number(const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	return end == text || *end || n < 0 || n > max ? -1 : n;
}

int main(int argc, char **argv)
{
	long n = argc > 1 ? number(argv[1], 60) : 30;
	long workers = argc > 2 ? number(argv[2], 1024) : 0; /* 0: one for each CPU */
	struct filch_options options = { .workers = (unsigned)workers };
	filch *rt;

	if (n < 0 || workers < 0 || argc > 3) {
		fprintf(stderr, "usage: fib [N, 0 to 60] [WORKERS]\n");
		return 2;
	}
	rt = filch_start(&options);
	if (!rt) {
		fprintf(stderr, "fib: filch_start: %s\n", strerror(errno));
		return 1;
	}
	printf("fib(%ld) = %ld\n", n, fib_run(rt, n));
	filch_stop(rt);
	return 0;
}
