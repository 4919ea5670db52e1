/* SPDX-License-Identifier: MIT */
/*
 * sandbox ENOSYS|EPERM COMMAND...: runs it where membarrier, io_uring and epoll_pwait2 fail so, as on an
 * older kernel and in a container.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* Numbers mean other calls on another architecture: but a filter that is inherited by programs of this one will do. */
static int forbid(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_membarrier, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
	};
	struct sock_fprog program = { LENGTH(filter), filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	int error = argc > 2 && !strcmp(argv[1], "EPERM") ? EPERM : ENOSYS;

	if (argc < 3 || forbid(error) || syscall(SYS_membarrier, 0, 0, 0) != -1 || errno != error) {
		fprintf(stderr, "sandbox: no filter\n");
		return 2;
	}
	execvp(argv[2], argv + 2);
	return 2;
}
