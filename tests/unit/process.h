/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in a process of its own, for tests that kill it. In a child nothing may assert: its exit code tells. cmocka is included before. */
#ifndef OG_TEST_PROCESS_H
#define OG_TEST_PROCESS_H

#include <errno.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static inline pid_t child(int (*work)(void))
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(work());
	assert_true(pid > 0);
	return pid;
}

static inline int wait_code(pid_t pid)
{
	int st = 0;
	while (waitpid(pid, &st, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
}

#endif
