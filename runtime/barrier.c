/* SPDX-License-Identifier: MIT */
#include "barrier.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

bool barrier_works_;

static void ask_kernel(void)
{
	barrier_works_ = !syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void barrier_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int saved = errno;

	pthread_once(&once, ask_kernel);
	errno = saved;
}

/* noinline: the address of errno must not be kept across a wait of the caller. */
__attribute__((noinline)) bool barrier_heavy(void)
{
	int saved = errno;
	bool works = barrier_works_ &&
	             !syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);

	errno = saved;
	return works;
}
