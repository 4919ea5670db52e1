/* SPDX-License-Identifier: MIT */
/*
 * Files may have to come from a disk first. The kernel says so (RWF_NOWAIT), and then they are read
 * the way of filch_block: no worker waits for a disk. (Names are looked up likewise, in root.c.)
 */
#ifndef DISK_H
#define DISK_H

#include <stddef.h>
#include <sys/types.h>

/* As pread(2), but for errno. */
ssize_t disk_read(int fd, char *to, size_t n, off_t from);

/* Have that much of it in memory, by a look at both ends: what has holes is mostly all or nothing. */
void disk_fetch(int fd, off_t from, off_t end);

#endif
