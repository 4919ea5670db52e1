/* SPDX-License-Identifier: MIT */
/*
 * Nothing outside the root is ever opened. The kernel sees to that (openat2, RESOLVE_BENEATH), with
 * symlinks that are changed while it looks too. Where it has no such call, or a sandbox forbids it,
 * the path is walked a directory at a time, and every symlink is refused. Neither relies on the
 * path having been looked at before; root_path() is a second lock on the same door.
 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <filch.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK  (O_PATH | O_CLOEXEC)
#define READ  (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#ifndef RESOLVE_CACHED
#define RESOLVE_CACHED 0x20 /* Linux 5.12 */
#endif
#define TRIES 16 /* openat2 gives up where somebody renames directories at the same time */

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Names between slashes: none is empty but the last, and none is "." or "..". */
static bool plain(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if ((!n && path[n]) || (n == 1 && path[0] == '.') ||
		    (n == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

int root_path(struct text target, char *path)
{
	size_t n = 0;

	for (size_t i = 0; i < target.length; i++) {
		char c = target.at[i];

		if (n == ROOT_PATH - 1)
			return 404;
		if (c == '%') {
			int high = target.length - i > 2 ? digit(target.at[i + 1]) : -1;
			int low = high < 0 ? -1 : digit(target.at[i + 2]);

			if (low < 0 || !(high | low))
				return 400;
			c = (char)(high << 4 | low);
			i += 2;
			if (c == '/')
				return 404; /* no name has a slash in it */
		}
		if (c == '\\')
			return 404;
		path[n++] = c;
	}
	path[n] = '\0';
	return plain(path) ? 0 : 404;
}

int root_open(const char *directory)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* cached: with what the kernel has in memory, or -EAGAIN. */
static int beneath(int root, const char *path, int flags, bool cached)
{
	struct open_how how = { .flags = (unsigned)flags,
		                .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	long fd = -EAGAIN;

	if (cached)
		how.resolve |= RESOLVE_CACHED;
	for (int i = 0; i < (cached ? 1 : TRIES) && fd == -EAGAIN; i++) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd < 0)
			fd = -errno;
	}
	return (int)fd;
}

/* name is one component. Closes directory, but for the root. */
static int step(int root, int directory, const char *name, int flags)
{
	int fd = openat(directory, name, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fd = -errno;
	if (directory != root)
		close(directory);
	return fd;
}

static int walk(int root, const char *path, int flags)
{
	char name[256];
	int fd = root;

	for (; fd >= 0; path += strlen(name) + 1) {
		size_t n = strcspn(path, "/");

		if (n >= sizeof(name)) {
			if (fd != root)
				close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(name, path, n);
		name[n] = '\0';
		if (!path[n])
			return step(root, fd, n ? name : ".", flags);
		fd = step(root, fd, name, O_PATH | O_DIRECTORY);
	}
	return fd;
}

static int open_any(int root, const char *path, int flags, bool cached)
{
	int fd = beneath(root, *path ? path : ".", flags, cached);

	if (fd == -EINVAL && cached) /* Linux 5.12 */
		return -EAGAIN;
	if (fd != -ENOSYS && fd != -EPERM)
		return fd;
	return cached ? -EAGAIN : walk(root, path, flags);
}

static int only_regular(int fd, struct stat *st)
{
	if (fd < 0 || (fstat(fd, st) == 0 && S_ISREG(st->st_mode)))
		return fd;
	close(fd);
	return S_ISDIR(st->st_mode) ? -EISDIR : -ENOENT;
}

struct look_up {
	int root;
	const char *path;
	struct stat *st;
	bool cached;
	int fd;
};

/*
 * A look comes first, since to open some things does something to them: who waits for a reader of a
 * FIFO would find one, and be killed by SIGPIPE. What takes the place of a file after the look is
 * opened, but it is beneath the root too, and it is not read. Never inlined: the address of errno is
 * the thread's, and filch_block() may change it.
 */
static __attribute__((noinline)) void look_up(void *look)
{
	struct look_up *l = look;

	l->fd = only_regular(open_any(l->root, l->path, LOOK, l->cached), l->st);
	if (l->fd < 0)
		return;
	close(l->fd);
	l->fd = only_regular(open_any(l->root, l->path, READ, l->cached), l->st);
}

int root_file(int root, const char *path, struct stat *st)
{
	struct look_up l = { root, path, st, .cached = true };

	look_up(&l);
	if (l.fd != -EAGAIN)
		return l.fd;
	l.cached = false;
	if (filch_block(look_up, &l))
		look_up(&l);
	return l.fd;
}
