/* SPDX-License-Identifier: Apache-2.0
 *
 * base/child.h, with the shell as the child. */
#include "scratch.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static og_child *shell(const char *script)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };
	og_child *c = NULL;
	og_error err = { 0 };
	if (og_child_start(argv, true, &c, &err) != OG_OK)
		fail_msg("%s", err.message);
	return c;
}

static void test_child__echoes_more_than_a_socket_holds(void **state)
{
	og_auto(og_child) *c = shell("exec cat <&3 >&3");
	enum { N = 150000 };
	og_autofree char *out = og_alloc(N), *in = og_alloc(N);
	(void)state;
	for (int round = 0; round < 20; round++) {
		memset(out, 'a' + round, N);
		assert_int_equal(og_child_send(c, out, N / 2, 10000, NULL, NULL), OG_OK);
		assert_int_equal(og_child_receive(c, in, N / 2, 10000, NULL, NULL), OG_OK);
		assert_memory_equal(in, out, N / 2);
	}
	assert_int_equal(og_child_send(c, out, 0, 0, NULL, NULL), OG_OK);
}

static void test_child__a_missing_program_is_not_found(void **state)
{
	const char *argv[] = { scratch("none"), NULL };
	og_child *c = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_child_start(argv, true, &c, &err), ONNXGATE_NOT_FOUND);
	assert_non_null(strstr(err.message, "No such file or directory"));
	scratch_write(scratch("plain"), "x");
	argv[0] = scratch("plain");
	assert_int_equal(og_child_start(argv, true, &c, &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "Permission denied"));
	assert_null(c);
}

static void expect_end(const char *script, const char *message)
{
	og_auto(og_child) *c = shell(script);
	og_error err = { 0 };
	char b[4];
	assert_int_equal(og_child_receive(c, b, 4, 10000, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, message);
	/* It stays so. */
	memset(&err, 0, sizeof err);
	assert_int_equal(og_child_send(c, b, 4, 10000, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, message);
}

static void test_child__how_it_ended_is_reported(void **state)
{
	(void)state;
	expect_end("exit 3", "sh: ended with exit code 3");
	expect_end("kill -SEGV $$", "sh: killed by signal 11 (Segmentation fault)");
	expect_end("printf ab >&3; exit 0", "sh: ended with exit code 0"); /* half an answer */
}

static void test_child__an_answer_before_the_end_counts(void **state)
{
	og_auto(og_child) *c = shell("printf abcd >&3; exit 5");
	og_error err = { 0 };
	char b[5] = { 0 };
	(void)state;
	og_sleep_ms(100);
	assert_int_equal(og_child_receive(c, b, 4, 10000, NULL, &err), OG_OK);
	assert_string_equal(b, "abcd");
	assert_int_equal(og_child_receive(c, b, 1, 10000, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "sh: ended with exit code 5");
}

static void test_child__its_end_is_seen_though_a_grandchild_holds_the_socket(void **state)
{
	og_auto(og_child) *c = shell("sleep 5 & exit 4");
	og_error err = { 0 };
	double start = og_now_ms();
	char b;
	(void)state;
	assert_int_equal(og_child_receive(c, &b, 1, 10000, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "sh: ended with exit code 4");
	assert_true(og_now_ms() - start < 4000);
}

static void test_child__sending_to_the_dead_is_no_signal(void **state)
{
	og_auto(og_child) *c = shell("exit 6");
	og_autofree char *big = og_alloc(1 << 20);
	og_error err = { 0 };
	(void)state;
	og_sleep_ms(100);
	assert_int_equal(og_child_send(c, big, 1 << 20, 10000, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "sh: ended with exit code 6");
}

static void test_child__silence_is_killed(void **state)
{
	og_child *c = shell("trap '' TERM INT HUP; exec sleep 60");
	og_error err = { 0 };
	double start = og_now_ms();
	char b;
	(void)state;
	assert_int_equal(og_child_receive(c, &b, 1, 250, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "sh: did not answer within 0.25 s");
	assert_true(og_now_ms() - start >= 250);
	og_child_free(c);
	assert_true(og_now_ms() - start < 10000);
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to be reaped */
}

static void test_child__one_that_does_not_read_is_killed(void **state)
{
	og_auto(og_child) *c = shell("exec sleep 60");
	og_autofree char *big = og_alloc(16 << 20);
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_child_send(c, big, 16 << 20, 200, NULL, &err), ONNXGATE_FAILED);
	assert_string_equal(err.message, "sh: did not answer within 0.2 s");
}

static void *raise_later(void *arg)
{
	og_sleep_ms(100);
	__atomic_store_n((int *)arg, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void test_child__waiting_can_be_interrupted(void **state)
{
	og_auto(og_child) *c = shell("exec sleep 60");
	og_error err = { 0 };
	int cancel = 0;
	double start = og_now_ms();
	pthread_t t;
	char b;
	(void)state;
	assert_int_equal(pthread_create(&t, NULL, raise_later, &cancel), 0);
	assert_int_equal(og_child_receive(c, &b, 1, -1, &cancel, &err), ONNXGATE_CANCELLED);
	assert_string_equal(err.message, "interrupted");
	assert_true(og_now_ms() - start < 5000);
	pthread_join(t, NULL);
}

static void test_child__gets_only_its_own_files(void **state)
{
	char name[128], b[64] = { 0 };
	og_auto(og_child) *c = NULL;
	(void)state;
	snprintf(name, sizeof name, "%s/leak", scratch_dir);
	/* One without O_CLOEXEC, as a host program may have. */
	assert_true(fcntl(open(name, O_RDWR | O_CREAT, 0666), F_DUPFD, 60) == 60);
	c = shell("ls -l /proc/self/fd | grep -c leak >&3; read x; echo \"[$x]$?\" >&3");
	assert_int_equal(og_child_receive(c, b, 2, 10000, NULL, NULL), OG_OK);
	assert_string_equal(b, "0\n");
	assert_int_equal(og_child_receive(c, b, 4, 10000, NULL, NULL), OG_OK); /* standard input is /dev/null */
	assert_string_equal(b, "[]1\n");
	close(60);
}

static void test_child__starts_with_a_clean_signal_state(void **state)
{
	sigset_t usr, old;
	char b[64] = { 0 };
	og_child *c;
	(void)state;
	sigemptyset(&usr);
	sigaddset(&usr, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &usr, &old);
	signal(SIGTERM, SIG_IGN);
	c = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' ' >&3; kill -TERM $$; echo alive >&3");
	signal(SIGTERM, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(og_child_receive(c, b, 63, 2000, NULL, NULL), ONNXGATE_FAILED);
	assert_true(og_starts_with(b, "0000000000000000 "));
	assert_null(strstr(b, "alive"));
	og_child_free(c);
}

static void test_child__peak_memory(void **state)
{
	og_child *c = shell("exec cat <&3 >&3");
	uint64_t alive, dead;
	char b = 'x';
	(void)state;
	assert_int_equal(og_child_send(c, &b, 1, 10000, NULL, NULL), OG_OK);
	assert_int_equal(og_child_receive(c, &b, 1, 10000, NULL, NULL), OG_OK);
	alive = og_child_peak_memory(c);
	assert_true(alive > 100 << 10 && alive < UINT64_C(64) << 20);
	assert_int_equal(og_child_receive(c, &b, 1, 200, NULL, NULL), ONNXGATE_FAILED); /* killed */
	dead = og_child_peak_memory(c);
	assert_true(dead >= alive && dead < UINT64_C(64) << 20);
	og_child_free(c);
}

static void test_child__peak_memory_is_not_ours(void **state)
{
	enum { BIG = 200 << 20 };
	char *mine = og_alloc(BIG), b;
	og_child *c;
	(void)state;
	for (size_t i = 0; i < BIG; i += 4096)
		mine[i] = 1;
	c = shell("sleep 0.2; exit 1");
	assert_int_equal(og_child_receive(c, &b, 1, 10000, NULL, NULL), ONNXGATE_FAILED);
	assert_true(og_child_peak_memory(c) < UINT64_C(64) << 20);
	og_child_free(c);
	og_free(mine);
}

/* In a process of its own: start a child, tell its id, and be killed. */
static void test_child__dies_with_its_parent(void **state)
{
	int out[2];
	pid_t parent, grandchild = 0;
	(void)state;
	assert_int_equal(pipe(out), 0);
	parent = fork();
	if (!parent) {
		char b[16] = { 0 };
		og_child *c = shell("printf '%08d' $$ >&3; exec sleep 60");
		if (og_child_receive(c, b, 8, 10000, NULL, NULL) != OG_OK)
			_exit(1);
		grandchild = atoi(b);
		if (write(out[1], &grandchild, sizeof grandchild) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &grandchild, sizeof grandchild), sizeof grandchild);
	close(out[0]);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
	for (int i = 0; i < 500; i++) {
		char path[64];
		og_auto_buf b;
		snprintf(path, sizeof path, "/proc/%d/stat", grandchild);
		og_buf_init(&b, 4096);
		/* Gone, or a zombie that nobody has reaped yet. */
		if (og_file_read(path, 4096, &b, NULL) != OG_OK || strstr(og_buf_cstr(&b), ") Z "))
			return;
		og_sleep_ms(10);
	}
	kill(grandchild, SIGKILL);
	fail_msg("the child outlived its parent");
}

static void test_child__leaves_at_once_when_it_reads_the_end(void **state)
{
	og_child *c = shell("exec cat <&3 >&3");
	double start = og_now_ms();
	(void)state;
	og_child_free(c);
	assert_true(og_now_ms() - start < 1500);
	og_child_free(NULL);
}

static void test_child__works_without_standard_files(void **state)
{
	int out[2], status;
	pid_t pid;
	(void)state;
	assert_int_equal(pipe(out), 0);
	assert_true(fcntl(out[1], F_DUPFD, 20) == 20);
	pid = fork();
	if (!pid) {
		const char *argv[] = { "/bin/sh", "-c", "exec cat <&3 >&3", NULL };
		og_child *c = NULL;
		char b = 'x';
		for (int fd = 0; fd < 20; fd++)
			close(fd);
		if (og_child_start(argv, false, &c, NULL) == OG_OK && og_child_send(c, &b, 1, 5000, NULL, NULL) == OG_OK &&
			og_child_receive(c, &b, 1, 5000, NULL, NULL) == OG_OK && b == 'x')
			_exit(0);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(out[0]);
	close(out[1]);
	close(20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_child__echoes_more_than_a_socket_holds),
		SCRATCH_TEST(test_child__a_missing_program_is_not_found),
		SCRATCH_TEST(test_child__how_it_ended_is_reported),
		SCRATCH_TEST(test_child__an_answer_before_the_end_counts),
		SCRATCH_TEST(test_child__its_end_is_seen_though_a_grandchild_holds_the_socket),
		SCRATCH_TEST(test_child__sending_to_the_dead_is_no_signal),
		SCRATCH_TEST(test_child__silence_is_killed),
		SCRATCH_TEST(test_child__one_that_does_not_read_is_killed),
		SCRATCH_TEST(test_child__waiting_can_be_interrupted),
		SCRATCH_TEST(test_child__gets_only_its_own_files),
		SCRATCH_TEST(test_child__starts_with_a_clean_signal_state),
		SCRATCH_TEST(test_child__peak_memory),
		SCRATCH_TEST(test_child__peak_memory_is_not_ours),
		SCRATCH_TEST(test_child__dies_with_its_parent),
		SCRATCH_TEST(test_child__leaves_at_once_when_it_reads_the_end),
		SCRATCH_TEST(test_child__works_without_standard_files),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
