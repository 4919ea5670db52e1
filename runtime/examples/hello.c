/* SPDX-License-Identifier: MIT */
/*
 * Submit tasks to a runtime and wait for all of them.
 *
 *	cc hello.c $(pkg-config --cflags --libs filch) -o hello && ./hello
 */
#include <errno.h>
#include <filch.h>
#include <stdio.h>
#include <string.h>

static void greet(void *arg)
{
	printf("Hello, %s!\n", (const char *)arg); /* in any order, on any worker */
}

int main(void)
{
	static char *names[] = { "world", "moon", "stars" };
	filch *rt = filch_start(NULL); /* a worker for each CPU */
	filch_group group;
	int err = 0;

	if (!rt) {
		fprintf(stderr, "hello: filch_start: %s\n", strerror(errno));
		return 1;
	}
	filch_group_init(&group, rt);
	for (int i = 0; i < 3 && !err; i++)
		err = filch_group_submit(&group, greet, names[i]);
	filch_group_wait(&group); /* what was submitted has run, whatever err says */
	filch_stop(rt);
	if (err)
		fprintf(stderr, "hello: filch_group_submit: %s\n", strerror(-err));
	return err != 0;
}
