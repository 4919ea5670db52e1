/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "root.h"

/* ns: who had just been accepted as the drain began has that long to send the request */
#define GRACE 100000000ll

static int fail(const struct options *o, const char *what, int error)
{
	fprintf(stderr, "%s: %s: %s\n", o->program, what, strerror(error));
	return EXIT_FAILURE;
}

/* How many connections there may be, with some descriptors left for everything else. */
static size_t places(const struct options *o)
{
	struct rlimit limit;
	size_t room = o->max_connections, spare;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		spare = limit.rlim_cur < 256 ? limit.rlim_cur / 2 : 128;
		if (limit.rlim_cur - spare < room)
			room = limit.rlim_cur - spare;
	}
	return room;
}

static int take_signals(void)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN); /* stdout may be a pipe that nobody reads */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int server_open(struct server *s, const struct options *options)
{
	int error;

	s->options = options;
	error = listener_open(&s->listener, options);
	if (error)
		return error;
	error = clients_init(&s->clients, places(options));
	if (error)
		return fail(options, "eventfd", -error);
	s->signals = take_signals();
	return s->signals < 0 ? fail(options, "signalfd", errno) : 0;
}

/* Renamed into place, so that whoever waits for the file never reads half of it. */
static int write_port(const struct server *s)
{
	const char *path = s->options->port_file;
	char *draft = NULL;
	FILE *file;
	bool good;

	if (asprintf(&draft, "%s.%d", path, (int)getpid()) < 0)
		return fail(s->options, path, ENOMEM);
	unlink(draft); /* and what lies there, a link perhaps, is not written to */
	file = fopen(draft, "wxe");
	good = file && fprintf(file, "%u\n", s->listener.port) > 0;
	good = file && fclose(file) == 0 && good && rename(draft, path) == 0;
	if (!good) {
		fail(s->options, path, errno);
		unlink(draft);
	}
	free(draft);
	return good ? 0 : EXIT_FAILURE;
}

/*
 * For good, every thread of the process (the C library sees to that), and groups first, as they
 * need the rights that are given up.
 */
static int become(const struct options *o, const char *name)
{
	const struct passwd *user = getpwnam(name);

	if (!user)
		return fail(o, name, ENOENT);
	if (user->pw_uid == geteuid() && geteuid())
		return 0;
	if (initgroups(name, user->pw_gid) || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid))
		return fail(o, name, errno);
	return 0;
}

/* What is opened again at SIGHUP is opened by the same user the first time. */
static int open_files(struct server *s)
{
	const struct options *o = s->options;
	int error = log_open(&s->log, o->access_log, s->listener.length);

	if (error)
		return fail(o, o->access_log, -error);
	s->root = o->root ? root_open(o->root) : -1;
	return o->root && s->root < 0 ? fail(o, o->root, -s->root) : 0;
}

/* What has too few descriptors for even one client would start, and answer nobody. */
static int find_room(const struct server *s)
{
	int fd = fcntl(s->signals, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return fail(s->options, "cannot accept", errno);
	return close(fd);
}

static int get_ready(struct server *s)
{
	int error;

	listener_widen(s, filch_workers(s->executor->runtime));
	if (s->options->port_file && write_port(s))
		return EXIT_FAILURE;
	if (s->options->user && become(s->options, s->options->user))
		return EXIT_FAILURE;
	if (open_files(s) || find_room(s))
		return EXIT_FAILURE;
	error = listener_start(s);
	return error < 0 ? fail(s->options, "cannot accept", -error) : 0;
}

static void announce(const struct server *s)
{
	if (s->options->quiet)
		return;
	printf("%s: http://%s (%s)\n", s->options->program, s->listener.address, s->executor->what);
	fflush(stdout);
}

enum event { SIGNALLED, ALL_GONE, TIMED_OUT };

/*
 * SIGHUP. The new directory gets the number of the old one, in one step for whoever is about to use
 * it. If there is none any more, the old one stays. The log does the same.
 */
static void reload(struct server *s)
{
	int error;
	int root = s->root < 0 ? -1 : root_open(s->options->root);

	if (root >= 0) {
		dup3(root, s->root, O_CLOEXEC);
		close(root);
	} else if (s->root >= 0) {
		fail(s->options, s->options->root, -root);
	}
	cache_drop(&s->cache);
	error = log_reopen(&s->log, s->options->access_log);
	if (error)
		fail(s->options, s->options->access_log, -error);
}

/* The next SIGTERM or SIGINT, or what else happens first. */
static enum event next_event(struct server *s, int64_t deadline)
{
	struct pollfd on[] = { { s->signals, POLLIN, 0 }, { s->clients.all_gone, POLLIN, 0 } };
	struct signalfd_siginfo info;
	int64_t left = -1;

	for (;;) {
		if (deadline != FILCH_NEVER) {
			left = (deadline - filch_now() + 999999) / 1000000;
			left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
		}
		if (poll(on, 2, (int)left) == 0)
			return TIMED_OUT;
		if (on[1].revents)
			return ALL_GONE;
		if (!on[0].revents || read(s->signals, &info, sizeof(info)) != sizeof(info))
			continue;
		if (info.ssi_signo != SIGHUP)
			return SIGNALLED;
		reload(s);
	}
}

static int drain(struct server *s)
{
	int64_t timeout = s->options->drain_timeout, end = filch_after(timeout);
	enum event event;

	clients_drain(&s->clients, DRAINING);
	listener_stop(s);
	event = next_event(s, filch_after(timeout / 2 < GRACE ? timeout / 2 : GRACE));
	if (event == TIMED_OUT) {
		clients_drain(&s->clients, HURRYING);
		event = next_event(s, end);
	}
	if (event == TIMED_OUT && !atomic_load(&s->clients.count))
		event = next_event(s, filch_after(GRACE)); /* the doors may have yet to be closed */
	if (event == ALL_GONE)
		return 0;
	fprintf(stderr, "%s: %s with %zu connections open\n", s->options->program,
	        event == SIGNALLED ? "stopped" : "gave up", atomic_load(&s->clients.count));
	return EXIT_FAILURE;
}

int server_run(struct server *s, const struct executor *executor)
{
	int status;

	s->executor = executor;
	status = get_ready(s);
	if (status)
		return status;
	announce(s);
	next_event(s, FILCH_NEVER);
	status = drain(s);
	log_close(&s->log);
	return status;
}

/* Threads that are no workers share the last counter. */
void server_count(struct server *s, size_t requests)
{
	atomic_fetch_add(&s->answered[(unsigned)filch_worker() % COUNTERS].n, requests);
}

size_t server_answered(const struct server *s)
{
	size_t sum = 0;

	for (size_t i = 0; i < COUNTERS; i++)
		sum += atomic_load(&s->answered[i].n);
	return sum;
}
