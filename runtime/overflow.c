/* SPDX-License-Identifier: MIT */
#include "overflow.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker.h"

#define GUARD ((ptrdiff_t)64 << 10) /* how far below a stack a fault counts as its overflow */

static struct sigaction before;

static bool in_guard(const char *low, const char *at)
{
	return at < low && low - at <= GUARD;
}

static void write_all(const char *line, int n)
{
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return; /* nobody listens */
}

const char *function_name(filch_fn *fn, char *room, size_t size)
{
	Dl_info info;

	if (dladdr((void *)(uintptr_t)fn, &info) && info.dli_sname)
		return info.dli_sname;
	snprintf(room, size, "at %p", (void *)(uintptr_t)fn);
	return room;
}

static void report(const char *at)
{
	struct worker *w = worker_here();
	struct stack *s = w ? w->current : NULL;
	char line[256], room[32];
	const char *name;

	if (!s || s == &w->thread)
		return;
	name = function_name(root_of(s)->task, room, sizeof(room));
	if (in_guard(s->low, at))
		write_all(line,
		          snprintf(line, sizeof(line),
		                   "filch: stack overflow: task %s used all of its %zu bytes: "
		                   "raise filch_options.stack_size\n",
		                   name, w->rt->stack_size));
	else if (s->slots && in_guard((char *)slots_end(s->slots) + GUARD, at))
		write_all(line, snprintf(line, sizeof(line),
		                         "filch: stack overflow: task %s has over four million "
		                         "forks in flight (stack_size is %zu bytes)\n",
		                         name, w->rt->stack_size));
}

static void handle(int signal, siginfo_t *info, void *context)
{
	bool sent = info->si_code <= 0; /* by somebody, and not an overflow */

	if (!sent)
		report(info->si_addr);
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(signal, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(signal);
	} else {
		/* The process ends as it would have: what faulted does so again. */
		sigaction(signal, &before, NULL);
		if (sent)
			raise(signal);
	}
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &before);
}

void overflow_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}

int overflow_begin_thread(void)
{
	size_t size = (size_t)64 << 10;
	stack_t alternate = { .ss_sp = malloc(size), .ss_size = size };

	if (!alternate.ss_sp)
		return -ENOMEM;
	sigaltstack(&alternate, NULL);
	return 0;
}

void overflow_end_thread(void)
{
	stack_t off = { .ss_flags = SS_DISABLE }, was;

	if (!sigaltstack(&off, &was) && !(was.ss_flags & SS_DISABLE))
		free(was.ss_sp);
}
