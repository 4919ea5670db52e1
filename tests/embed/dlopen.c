/* SPDX-License-Identifier: MIT */
/*
 * A plug-in host: loads the shared library, uses it, and unloads it, twice. Workers that have just
 * ended may still run its code then.
 */
#include <dlfcn.h>
#include <filch.h>
#include <stdio.h>

static void touch(void *arg)
{
	*(int *)arg = 1;
}

static int use(void *library)
{
	filch *(*start)(const struct filch_options *);
	int (*run)(filch *, filch_fn *, void *), (*stop)(filch *), done = 0;
	filch *rt;

	/* POSIX: a pointer to an object holds one to a function; C has no cast that says so. */
	*(void **)&start = dlsym(library, "filch_start");
	*(void **)&run = dlsym(library, "filch_run");
	*(void **)&stop = dlsym(library, "filch_stop");
	if (!start || !run || !stop)
		return 1;
	rt = start(NULL);
	return !rt || run(rt, touch, &done) != 0 || stop(rt) != 0 || !done;
}

int main(int argc, char **argv)
{
	for (int i = 0; argc == 2 && i < 2; i++) {
		void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);

		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		if (use(library) != 0 || dlclose(library) != 0)
			return 1;
	}
	return argc != 2;
}
