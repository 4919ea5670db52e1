/* SPDX-License-Identifier: MIT */
/*
 * Goes in front of the C library (LD_PRELOAD) and lets some calls fail, be short or be interrupted
 * (but receives are not short: of a stream with more in it, no kernel gives less than was asked for).
 * The first byte of the file named by FAULTS says which: m malloc, r receive, s send, a accept, e
 * epoll_wait, p epoll_ctl; anything else: none. Its second eight bytes count allocations.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_uint calls;

static struct {
	_Atomic char mode;
	char unused[7];
	atomic_ulong allocations;
} *shared;

__attribute__((constructor)) static void open_file(void)
{
	int fd = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);
	void *at = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	shared = at == MAP_FAILED ? NULL : at;
	close(fd);
}

/* One call in so many; an odd pattern, so that it does not follow that of the calls. */
static unsigned chance(char which, unsigned one_in)
{
	unsigned n;

	if (!shared || shared->mode != which)
		return 0;
	n = atomic_fetch_add(&calls, 1) * 2654435761u >> 8;
	return n % one_in == 0 ? 1 + n / one_in % 4 : 0;
}

#define REAL(name) ((__typeof__(&(name)))dlsym(RTLD_NEXT, #name))

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int no_memory(void)
{
	if (shared)
		shared->allocations++;
	if (!chance('m', 5))
		return 0;
	errno = ENOMEM;
	return 1;
}

void *malloc(size_t n)
{
	return no_memory() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return no_memory() ? NULL : __libc_realloc(p, n);
}

static int broken(unsigned how, int often, int rare)
{
	errno = how < 3 ? often : rare;
	return -1;
}

ssize_t recv(int fd, void *buf, size_t n, int flags)
{
	unsigned how = chance('r', 7);

	return how ? broken(how, EINTR, ECONNRESET) : REAL(recv)(fd, buf, n, flags);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	unsigned how = chance('s', 3);

	if (how == 4)
		return broken(how, 0, ENOBUFS);
	return REAL(send)(fd, buf, how && n > 7 ? 7 : n, flags);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	unsigned how = chance('a', 3);

	return how ? broken(how, ECONNABORTED, EINTR) : REAL(accept4)(fd, address, length, flags);
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
	unsigned how = chance('e', 3);

	return how ? broken(how, EINTR, EINTR) : REAL(epoll_wait)(fd, events, most, timeout);
}

int epoll_pwait2(int fd, struct epoll_event *events, int most, const struct timespec *timeout,
                 const sigset_t *set)
{
	unsigned how = chance('e', 3);

	return how ? broken(how, EINTR, EINTR)
	           : REAL(epoll_pwait2)(fd, events, most, timeout, set);
}

int epoll_ctl(int fd, int what, int other, struct epoll_event *event)
{
	unsigned how = what == EPOLL_CTL_ADD ? chance('p', 3) : 0;

	return how ? broken(how, ENOMEM, ENOSPC) : REAL(epoll_ctl)(fd, what, other, event);
}
