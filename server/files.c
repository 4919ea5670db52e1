/* SPDX-License-Identifier: MIT */
/*
 * From a path to an answer: find the file, in the cache or below the root, in the best coding that
 * lies beside it; then see what part of it the client really wants.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <filch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "date.h"
#include "disk.h"
#include "reply.h"
#include "request.h"
#include "root.h"
#include "server.h"

/*
 * Seconds for which a file that has changed is not kept: whoever writes it may not be done, and the
 * clock of the file system is too coarse to tell another change.
 */
#define YOUNG 2

static const char *type_of(const char *path)
{
	static const struct {
		const char *suffix, *type;
	} types[] = {
		{ "html", "text/html; charset=utf-8" },
		{ "htm", "text/html; charset=utf-8" },
		{ "css", "text/css; charset=utf-8" },
		{ "js", "text/javascript; charset=utf-8" },
		{ "mjs", "text/javascript; charset=utf-8" },
		{ "txt", "text/plain; charset=utf-8" },
		{ "md", "text/markdown; charset=utf-8" },
		{ "csv", "text/csv; charset=utf-8" },
		{ "json", "application/json" },
		{ "xml", "application/xml" },
		{ "pdf", "application/pdf" },
		{ "wasm", "application/wasm" },
		{ "gz", "application/gzip" },
		{ "tar", "application/x-tar" },
		{ "zip", "application/zip" },
		{ "svg", "image/svg+xml" },
		{ "png", "image/png" },
		{ "jpg", "image/jpeg" },
		{ "jpeg", "image/jpeg" },
		{ "gif", "image/gif" },
		{ "webp", "image/webp" },
		{ "avif", "image/avif" },
		{ "ico", "image/vnd.microsoft.icon" },
		{ "woff", "font/woff" },
		{ "woff2", "font/woff2" },
		{ "mp3", "audio/mpeg" },
		{ "ogg", "audio/ogg" },
		{ "mp4", "video/mp4" },
		{ "webm", "video/webm" },
	};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
		if (strcasecmp(dot + 1, types[i].suffix) == 0)
			return types[i].type;
	return "application/octet-stream";
}

void file_put(struct file *f)
{
	if (atomic_fetch_sub(&f->users, 1) != 1)
		return;
	if (f->fd >= 0)
		filch_close(f->fd);
	free(f);
}

/* ---- from disk ------------------------------------------------------------------------------ */

static const struct {
	const char *suffix, *header;
} codings[CODINGS] = {
	[CODING_NONE] = { "", "" },
	[CODING_GZIP] = { ".gz", "Content-Encoding: gzip\r\n" },
	[CODING_BR] = { ".br", "Content-Encoding: br\r\n" },
};

/* The best coding that there is. The file itself must be there too: it is what has been asked for. */
static int open_best(int root, const char *path, const enum coding *best, enum coding *coding,
                     struct stat *st)
{
	char name[ROOT_PATH + 16];
	struct stat other;
	int fd = root_file(root, path, st), coded;

	for (*coding = CODING_NONE; fd >= 0 && *best != CODING_NONE; best++) {
		snprintf(name, sizeof(name), "%s%s", path, codings[*best].suffix);
		coded = root_file(root, name, &other);
		if (coded < 0)
			continue;
		close(fd);
		*st = other;
		*coding = *best;
		return coded;
	}
	return fd;
}

/* False: it is not as long as it was said to be. */
static bool read_all(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t n = 1;

	while (done < size && n > 0) {
		n = disk_read(fd, to + done, size - done, (off_t)done);
		done += n > 0 ? (size_t)n : 0;
	}
	return done == size;
}

static bool has_changed(int fd, const struct stat *before)
{
	struct stat st;

	return fstat(fd, &st) || st.st_size != before->st_size ||
	       memcmp(&st.st_mtim, &before->st_mtim, sizeof(st.st_mtim)) ||
	       memcmp(&st.st_ctim, &before->st_ctim, sizeof(st.st_ctim));
}

static void describe(struct file *f, const char *path, enum coding coding, const struct stat *st,
                     time_t now)
{
	char date[DATE_LENGTH + 1];
	/* Never later than Date, nor of a year that Last-Modified has no digits for. */
	time_t modified = st->st_mtime < 0 ? 0 : st->st_mtime < now ? st->st_mtime : now;

	f->type = type_of(path);
	snprintf(f->etag, sizeof(f->etag), "\"%llx-%llx-%llx\"", (unsigned long long)st->st_ino,
	         (unsigned long long)st->st_size,
	         (unsigned long long)st->st_mtim.tv_sec * 1000000000 +
	                 (unsigned long long)st->st_mtim.tv_nsec);
	f->validators = (struct validators){ f->etag, modified };
	date_print(date, modified);
	snprintf(f->headers, sizeof(f->headers),
	         "ETag: %s\r\nLast-Modified: %s\r\nAccept-Ranges: bytes\r\n"
	         "Vary: Accept-Encoding\r\n%s",
	         f->etag, date, codings[coding].header);
}

/* A file from disk, with its content if that is not much. NULL and -errno. */
static struct file *load(int root, const char *path, const enum coding *best, int *error)
{
	enum coding coding;
	struct stat st;
	int fd = open_best(root, path, best, &coding, &st);
	time_t now = time(NULL);
	struct file *f;
	size_t size;
	bool small;

	*error = fd;
	if (fd < 0)
		return NULL;
	size = (size_t)st.st_size;
	small = size <= FILE_CACHED;
	f = malloc(sizeof(*f) + (small ? size : 0));
	if (!f) {
		close(fd);
		*error = -ENOMEM;
		return NULL;
	}
	atomic_init(&f->users, 1);
	f->size = size;
	f->fd = fd;
	describe(f, path, coding, &st, now);
	f->young = now - st.st_mtime < YOUNG;
	if (small && read_all(fd, f->content, size)) {
		f->young |= has_changed(fd, &st); /* while it was read */
		close(fd);
		f->fd = -1;
	}
	return f;
}

/* From the cache, or from disk and into the cache. key: which codings are liked, and the path. */
static struct file *get(struct server *s, const char *key, const char *path,
                        const enum coding *best, int *error)
{
	unsigned age = atomic_load(&s->cache.age);
	struct file *f = cache_get(&s->cache, key);

	if (f)
		return f;
	f = load(s->root, path, best, error);
	if (f && f->fd < 0 && !f->young)
		cache_add(&s->cache, key, f, age);
	return f;
}

/* ---- the answer ----------------------------------------------------------------------------- */

/* Without the slash, what a page in the directory refers to would be looked for beside it. */
static void redirect(const struct request *q, struct reply *r)
{
	reply_error(r, 301, NULL);
	if (buffer_print(&r->page, "Location: %.*s/\r\n", (int)q->path.length, q->path.at))
		r->headers = r->page.data;
	else
		reply_error(r, 503, NULL);
}

static void explain(const struct request *q, struct reply *r, int error)
{
	bool slash = q->path.at[q->path.length - 1] == '/'; /* then index.html is the directory */

	if (error == -EISDIR && !slash)
		redirect(q, r);
	else if (error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN)
		reply_error(r, 503, NULL);
	else if (error == -EIO || error == -ESTALE || error == -ETIMEDOUT || error == -EINTR)
		reply_error(r, 500, NULL); /* which no cache keeps */
	else
		reply_error(r, 404,
		            NULL); /* also for what must not be read: it is nobody's business */
}

static void send_part(const struct request *q, struct reply *r, struct file *f)
{
	struct range range;
	int status = conditions_range(q, &f->validators, f->size, &range);

	if (status == 416) {
		reply_error(r, 416, NULL);
		snprintf(r->line, sizeof(r->line), "Content-Range: bytes */%zu\r\n", f->size);
		r->headers = r->line;
		return;
	}
	if (status == 206) {
		snprintf(r->line, sizeof(r->line), "Content-Range: bytes %zu-%zu/%zu\r\n",
		         range.from, range.from + range.length - 1, f->size);
		r->more = r->line;
	}
	r->status = status;
	r->type = f->type;
	r->from = range.from;
	r->length = range.length;
	r->body = f->fd < 0 ? f->content + range.from : NULL;
}

static void answer_with(const struct request *q, struct reply *r, struct file *f)
{
	int status = conditions_status(q, &f->validators);

	r->file = f;
	if (status == 412) {
		reply_error(r, status, NULL);
		return;
	}
	r->headers = f->headers;
	if (status == 304)
		r->status = status;
	else
		send_part(q, r, f);
}

void files_answer(struct server *s, const struct request *q, struct reply *r)
{
	static const char index[] = "index.html";
	const size_t route = sizeof("/files/") - 1;
	struct text target = { q->path.at + route, q->path.length - route };
	char key[2 + ROOT_PATH + sizeof(index)], *path = key + 2;
	enum coding best[CODINGS];
	int status = s->root < 0 ? 404 : root_path(target, path), error;
	struct file *f;
	size_t n;

	if (status) {
		reply_error(r, status, NULL);
		return;
	}
	n = strlen(path);
	if (!n || path[n - 1] == '/')
		memcpy(path + n, index, sizeof(index));
	conditions_codings(q, best);
	key[0] = (char)('0' + best[0]);
	key[1] = (char)('0' + best[1]);
	f = get(s, key, path, best, &error);
	if (f)
		answer_with(q, r, f);
	else
		explain(q, r, error);
}
