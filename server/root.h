/* SPDX-License-Identifier: MIT */
/* The directory below which files are served, and the way into it: none leads out. */
#ifndef ROOT_H
#define ROOT_H

#include <stddef.h>
#include <sys/stat.h>

#include "text.h"

#define ROOT_PATH 1024 /* a longer path is not found */

/*
 * The path that the target of a request names, relative to the root: percent-decoded once, and with
 * nothing in it that a file system could understand in another way. Room for ROOT_PATH bytes. 0,
 * or the status of the answer: 400, 404.
 */
int root_path(struct text target, char *path);

/* The root. -errno. */
int root_open(const char *directory);

/*
 * Open a regular file, to be read. -EISDIR for a directory, -ENOENT for anything else, neither of
 * which is opened; or another -errno. No worker waits for a local disk, nor for what is no file.
 */
int root_file(int root, const char *path, struct stat *st);

#endif
