/* SPDX-License-Identifier: MIT */
/*
 * Who owns a buffer: the kernel, from give() until a completion names it; then, once it was lent,
 * the queue of a descriptor (staged.c), whose reader gives it back from whatever thread it is. The
 * memory lives until the poller and the last buffer that is lent are gone: what was received
 * outlives its runtime.
 */
#include "buffers.h"

#ifdef WITH_URING
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "item.h"
#include "lock.h"
#include "populate.h"
#include "saved_errno.h"

#define BUFFERS    512  /* as many streams may have something to be read at once: a power of two */
#define BYTES_EACH 1024 /* a request with its headers, mostly */

struct pool {
	struct lender lender;
	uint64_t word; /* a lock: who gives a buffer back */
	unsigned used; /* by the poller, and by each buffer that is lent */
	struct io_uring_buf_ring *ring; /* and behind it the bytes */
	struct buffer buffer[BUFFERS];
};

#define POOL_BYTES (BUFFERS * (sizeof(struct io_uring_buf) + BYTES_EACH))

void pool_leave(struct pool *pool)
{
	if (add_seq(&pool->used, -1u) != 1)
		return;
	munmap(pool->ring, POOL_BYTES);
	free(pool);
}

static void give(struct buffer *b)
{
	struct pool *pool = container_of(b->lender, struct pool, lender);
	size_t i = (size_t)(b - pool->buffer);
	uint64_t word = lock(&pool->word);

	io_uring_buf_ring_add(pool->ring, b->bytes, BYTES_EACH, (unsigned short)i, BUFFERS - 1, 0);
	io_uring_buf_ring_advance(pool->ring, 1);
	unlock(&pool->word, word);
}

static void give_lent(struct buffer *b)
{
	struct pool *pool = container_of(b->lender, struct pool, lender);

	give(b);
	pool_leave(pool);
}

struct buffer *lend(struct pool *pool, const struct io_uring_cqe *cqe)
{
	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return NULL;
	add_seq(&pool->used, 1u);
	return &pool->buffer[cqe->flags >> IORING_CQE_BUFFER_SHIFT];
}

static struct pool *make(void)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	char *bytes = pool ? mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE,
	                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
	                   : MAP_FAILED;

	if (bytes == MAP_FAILED) {
		free(pool);
		return NULL;
	}
	populate(bytes, POOL_BYTES);
	pool->lender.give = give_lent;
	pool->used = 1;
	pool->ring = (struct io_uring_buf_ring *)(void *)bytes;
	io_uring_buf_ring_init(pool->ring);
	bytes += BUFFERS * sizeof(struct io_uring_buf);
	for (size_t i = 0; i < BUFFERS; i++, bytes += BYTES_EACH) {
		pool->buffer[i] = (struct buffer){ .lender = &pool->lender, .bytes = bytes };
		give(&pool->buffer[i]);
	}
	return pool;
}

int pool_new(struct pool **pool, struct io_uring *ring)
{
	struct io_uring_buf_reg reg = { .ring_entries = BUFFERS, .bgid = BUFFER_GROUP };
	int saved = errno, error;
	struct pool *made = make();

	restore_errno(saved);
	if (!made)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)made->ring;
	error = io_uring_register_buf_ring(ring, &reg, 0);
	if (error)
		pool_leave(made);
	else
		*pool = made;
	return error;
}

#endif
