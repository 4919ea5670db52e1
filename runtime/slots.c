/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <sys/mman.h>

#include "populate.h"
#include "saved_errno.h"

#define GUARD ((size_t)64 << 10)
#define PAGE  ((size_t)4096)

/* Twice the size is mapped, and what lies outside an aligned piece and its guard is given back. */
static struct slots *map_slots(void)
{
	size_t whole = 2 * SLOTS_BYTES + GUARD;
	char *map = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
	                 0);
	char *base;

	if (map == MAP_FAILED)
		return NULL;
	base = (char *)(((uintptr_t)map + SLOTS_BYTES - 1) & ~(uintptr_t)(SLOTS_BYTES - 1));
	if (base > map)
		munmap(map, (size_t)(base - map));
	munmap(base + SLOTS_BYTES + GUARD, (size_t)(map + whole - (base + SLOTS_BYTES + GUARD)));
	if (mprotect(base, SLOTS_BYTES, PROT_READ | PROT_WRITE)) {
		munmap(base, SLOTS_BYTES + GUARD);
		return NULL;
	}
	madvise(base, SLOTS_BYTES, MADV_NOHUGEPAGE);
	populate(base, PAGE);
	return (struct slots *)(void *)base;
}

struct slots *slots_new(void)
{
	int saved = errno;
	struct slots *s = map_slots();

	restore_errno(saved);
	return s;
}

void slots_clear(struct slots *s)
{
	int saved = errno;

	madvise((char *)s + PAGE, SLOTS_BYTES - PAGE, MADV_DONTNEED);
	restore_errno(saved);
}

void slots_free(struct slots *s)
{
	munmap(s, SLOTS_BYTES + GUARD);
}
