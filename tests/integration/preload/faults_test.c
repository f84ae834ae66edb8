/* SPDX-License-Identifier: Apache-2.0
 *
 * The shim of faults.c, and with it the promise of base/file.h that a file appears whole or not at all: this program runs
 * itself under the shim ("write" and "copy" are what the inner one does) and looks at what it left. */
#include "scratch.h"

#include "base/str.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 3 << 20 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static char *content(void)
{
	char *p = og_alloc(SIZE);
	for (size_t i = 0; p && i < SIZE; i++)
		p[i] = (char)('a' + i % 23);
	return p;
}

/* The inner program: exit code as onnxgate's, the message in DIR/message. */
static int inner(const char *act)
{
	og_autofree char *p = content();
	og_error err = { 0 };
	og_status s;
	FILE *f;
	signal(SIGINT, on_interrupt);
	if (!strcmp(act, "write"))
		s = og_file_write("out/model.onnx", p, SIZE, &err);
	else
		s = og_file_copy("in", "out/model.onnx", &err);
	f = fopen("message", "wb");
	if (!f || fputs(err.message, f) < 0 || fclose(f))
		return 99;
	return interrupted ? 130 : og_exit_code(s);
}

static void become_inner(const char *act, const char *fault)
{
	/* GCC's address sanitizer wants to be loaded first; it need not be for what this shim does. */
	const char *asan = getenv("ASAN_OPTIONS");
	char options[512];
	snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", asan ? asan : "", asan ? ":" : "");
	setenv("ASAN_OPTIONS", options, 1);
	setenv("LD_PRELOAD", OG_FAULTS, 1);
	setenv("OG_FAULT", fault, 1);
	setenv("OG_FAULT_LOG", "log", 1);
	if (!chdir(scratch_dir))
		execl("/proc/self/exe", "inner", act, (char *)NULL);
	_exit(98);
}

/* Returns the exit code, or minus the signal. out/model.onnx was "old" before. */
static int run(const char *act, const char *fault)
{
	og_autofree char *p = content();
	int status;
	pid_t pid;
	assert_int_equal(og_remove_tree(scratch("out"), NULL), OG_OK);
	assert_int_equal(og_mkdirs(scratch("out"), NULL), OG_OK);
	scratch_write(scratch("out/model.onnx"), "old");
	assert_int_equal(og_file_write(scratch("in"), p, SIZE, NULL), OG_OK);
	unlink(scratch("log"));
	unlink(scratch("message"));
	pid = fork();
	if (!pid)
		become_inner(act, fault);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect_new(void)
{
	og_autofree char *p = content();
	og_auto_buf b;
	og_buf_init(&b, SIZE);
	assert_int_equal(og_file_read(scratch("out/model.onnx"), SIZE, &b, NULL), OG_OK);
	assert_int_equal(b.n, SIZE);
	assert_memory_equal(b.p, p, SIZE);
	assert_int_equal(scratch_count(scratch("out")), 1);
}

static void expect_old(size_t entries)
{
	scratch_expect(scratch("out/model.onnx"), "old");
	assert_int_equal(scratch_count(scratch("out")), entries);
}

static char *read_text(const char *name)
{
	static char text[4096];
	og_auto_buf b;
	og_buf_init(&b, sizeof text - 1);
	text[0] = 0;
	if (og_file_read(scratch(name), sizeof text - 1, &b, NULL) == OG_OK)
		strcpy(text, og_buf_cstr(&b));
	return text;
}

static void expect_fault(const char *act, const char *fault, const char *message, const char *logged)
{
	assert_int_equal(run(act, fault), 8);
	if (!strstr(read_text("message"), message))
		fail_msg("message '%s', expected '%s'", read_text("message"), message);
	if (!og_starts_with(read_text("log"), logged))
		fail_msg("log '%s', expected '%s'", read_text("log"), logged);
	expect_old(1);
}

static void test_faults__without_a_match_nothing_happens(void **state)
{
	(void)state;
	assert_int_equal(run("write", ""), 0);
	expect_new();
	assert_int_equal(run("write", "write:1:ENOSPC:other.onnx;rename:2:EIO:model.onnx"), 0);
	expect_new();
	assert_false(og_file_exists(scratch("log")));
}

static void test_faults__an_error_leaves_the_old_file_and_no_rubbish(void **state)
{
	(void)state;
	expect_fault("write", "write:1:ENOSPC:model.onnx", "write out/model.onnx: No space left on device", "write 1 ENOSPC /");
	expect_fault("write", "fsync:1:EIO:model.onnx", "sync out/model.onnx: Input/output error", "fsync 1 EIO /");
	expect_fault("write", "rename:1:EACCES:model.onnx", "rename to out/model.onnx: Permission denied", "rename 1 EACCES /");
	expect_fault("write", "any:3:EDQUOT:/out/", "Disk quota exceeded", "rename 3 EDQUOT /");
	expect_fault("copy", "copy_file_range:1:ENOSPC:out", "write out/model.onnx: No space left on device", "copy_file_range 1 ENOSPC /");
}

static void test_faults__the_nth_call_and_all_later_ones(void **state)
{
	(void)state;
	expect_fault("copy", "copy_file_range:1+:ENOSYS:;pwrite:3:EIO:model.onnx", "Input/output error", "copy_file_range 1 ENOSYS /");
	assert_non_null(strstr(read_text("log"), "\npwrite 3 EIO /"));
	/* Three pieces of 1 MiB: there is no fourth. */
	assert_int_equal(run("copy", "copy_file_range:1+:ENOSYS:;pwrite:4:EIO:model.onnx"), 0);
	expect_new();
}

static void test_faults__short_and_interrupted_calls_are_carried_on(void **state)
{
	(void)state;
	assert_int_equal(run("write", "write:1+:SHORT:model.onnx"), 0);
	expect_new();
	assert_int_equal(run("write", "any:1:EINTR:model.onnx;fsync:1:EINTR:model.onnx"), 0);
	expect_new();
	assert_int_equal(run("copy", "copy_file_range:1+:SHORT:model.onnx"), 0);
	expect_new();
	assert_int_equal(run("copy", "copy_file_range:1+:EXDEV:model.onnx;pwrite:1+:SHORT:"), 0);
	expect_new();
}

static void test_faults__a_kill_before_the_rename_leaves_the_old_file(void **state)
{
	(void)state;
	assert_int_equal(run("write", "rename:1:SIGKILL:model.onnx"), -SIGKILL);
	expect_old(2); /* the temporary file, complete but without the name */
	assert_true(og_starts_with(read_text("log"), "rename 1 SIGKILL /"));
	assert_int_equal(run("copy", "copy_file_range:1:SIGKILL:model.onnx"), -SIGKILL);
	expect_old(2);
	assert_int_equal(run("write", "fsync:2:SIGKILL:/out"), -SIGKILL); /* the folder's, after the rename */
	expect_new();
}

static void test_faults__a_signal_does_not_stop_the_call(void **state)
{
	(void)state;
	assert_int_equal(run("write", "write:1:SIGINT:model.onnx"), 130);
	expect_new();
}

static void test_faults__the_log_tells_how_many_calls_there_are(void **state)
{
	(void)state;
	assert_int_equal(run("write", "any:1+:LOG:/out"), 0);
	assert_true(og_glob("write 1 LOG /*\nfsync 2 LOG /*\nrename 3 LOG /*/out/model.onnx\nfsync 4 LOG /*/out\n", read_text("log")));
}

static void test_faults__a_rule_that_cannot_be_read_is_no_success(void **state)
{
	static const char *const bad[] = { "write", "write:1:ENOSPC", "wriet:1:EIO:x", "write:0:EIO:x", "write:x:EIO:x", "write:1:EFOO:x", "write:1-:EIO:x", ";" };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(bad); i++) {
		assert_int_equal(run("write", bad[i]), 120);
		expect_old(1);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_faults__without_a_match_nothing_happens),
		SCRATCH_TEST(test_faults__an_error_leaves_the_old_file_and_no_rubbish),
		SCRATCH_TEST(test_faults__the_nth_call_and_all_later_ones),
		SCRATCH_TEST(test_faults__short_and_interrupted_calls_are_carried_on),
		SCRATCH_TEST(test_faults__a_kill_before_the_rename_leaves_the_old_file),
		SCRATCH_TEST(test_faults__a_signal_does_not_stop_the_call),
		SCRATCH_TEST(test_faults__the_log_tells_how_many_calls_there_are),
		SCRATCH_TEST(test_faults__a_rule_that_cannot_be_read_is_no_success),
	};
	if (argc > 1 && !strcmp(argv[0], "inner"))
		return inner(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
