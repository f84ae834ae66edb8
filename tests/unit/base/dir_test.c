/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dir.h"

#include "base/file.h"
#include "base/str.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char home[64];

static int make_home(void **state)
{
	(void)state;
	snprintf(home, sizeof(home), "/tmp/og-dir-XXXXXX");
	return mkdtemp(home) && chdir(home) == 0 ? 0 : -1;
}

static int remove_home(void **state)
{
	(void)state;
	return chdir("/") == 0 && og_remove_tree(home, NULL) == OG_OK ? 0 : -1;
}

static void put(const char *path, const char *text)
{
	assert_int_equal(og_file_write(path, text, strlen(text), NULL), OG_OK);
}

static bool holds(const char *path, const char *text)
{
	og_auto_buf b;
	og_buf_init(&b, 100);
	return og_file_read(path, 100, &b, NULL) == OG_OK && og_streq(og_buf_cstr(&b), text);
}

static void test_dir__new_ones_differ_and_obey_the_umask(void **state)
{
	(void)state;
	og_autofree char *a = NULL, *b = NULL, *c = NULL;
	mode_t old = umask(027);
	struct stat st;
	assert_int_equal(og_dir_new("x", &a, NULL), OG_OK);
	assert_int_equal(og_dir_new("x", &b, NULL), OG_OK);
	umask(old);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), 2 + 16);
	assert_int_equal(stat(a, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(og_dir_new("no/such/folder", &c, NULL), ONNXGATE_IO);
	assert_null(c);
}

static void replace_both_ways(bool exchange)
{
	bool swapped = true;
	assert_int_equal(og_mkdirs("from", NULL), OG_OK);
	put("from/f", "new");
	assert_int_equal(og_dir_replace("from", "to", &swapped, NULL), OG_OK);
	assert_false(swapped);
	assert_true(holds("to/f", "new"));
	assert_int_equal(og_mkdirs("from", NULL), OG_OK);
	put("from/f", "newer");
	assert_int_equal(og_dir_replace("from", "to", &swapped, NULL), OG_OK);
	assert_int_equal(swapped, exchange);
	assert_true(holds("to/f", "newer"));
	assert_int_equal(og_dir_exists("from"), exchange);
	assert_false(og_dir_exists("from.old"));
	if (exchange)
		assert_true(holds("from/f", "new"));
	og_error err = { 0 };
	assert_int_equal(og_dir_replace("absent", "to", &swapped, &err), ONNXGATE_IO);
	assert_true(holds("to/f", "newer")); /* what stood stands */
}

static void test_dir__replace_by_exchange(void **state)
{
	(void)state;
	replace_both_ways(true);
}

/* As on a file system without flags: renameat2() with any answers EINVAL. */
static bool forbid_flags(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0;
}

static void test_dir__replace_where_exchange_is_not_known(void **state)
{
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		if (!forbid_flags())
			_exit(77); /* no seccomp here */
		replace_both_ways(false);
		_exit(0);
	}
	int st = 0;
	assert_int_equal(waitpid(pid, &st, 0), pid);
	assert_true(WIFEXITED(st));
	if (WEXITSTATUS(st) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(st), 0);
}

static void test_dir__file_below(void **state)
{
	(void)state;
	uint64_t n = 0;
	og_error err = { 0 };
	assert_int_equal(og_mkdirs("d/sub", NULL), OG_OK);
	put("d/sub/f", "12345");
	assert_int_equal(og_file_below("d", "sub/f", &n, NULL), OG_OK);
	assert_int_equal(n, 5);
	assert_int_equal(og_file_below("d", "sub/g", &n, NULL), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_file_below("d", "sub/f/g", &n, NULL), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_file_below("d", "sub", &n, NULL), ONNXGATE_FORMAT);
	assert_int_equal(og_file_below("d", "../d/sub/f", &n, &err), ONNXGATE_UNSAFE);
	assert_int_equal(og_file_below("d", "/etc/passwd", &n, NULL), ONNXGATE_UNSAFE);
	assert_int_equal(symlink("f", "d/sub/l"), 0);
	assert_int_equal(og_file_below("d", "sub/l", &n, NULL), ONNXGATE_UNSAFE);
	assert_int_equal(symlink("sub", "d/way"), 0);
	assert_int_equal(og_file_below("d", "way/f", &n, NULL), ONNXGATE_UNSAFE);
	assert_int_equal(symlink("d", "e"), 0);
	assert_int_equal(og_file_below("e", "sub/f", &n, NULL), OG_OK); /* the folder itself may be reached as one likes */
	assert_int_equal(n, 5);
}

static void test_dir__fsync_tree(void **state)
{
	(void)state;
	assert_int_equal(og_mkdirs("t/a/b", NULL), OG_OK);
	put("t/a/b/f", "x");
	assert_int_equal(symlink("/nowhere", "t/a/l"), 0);
	assert_int_equal(og_fsync_tree("t", NULL), OG_OK);
	assert_int_equal(og_fsync_tree("absent", NULL), ONNXGATE_IO);
	char deep[200] = "t";
	for (int i = 0; i < 40; i++)
		strcat(deep, "/d");
	assert_int_equal(og_mkdirs(deep, NULL), OG_OK);
	assert_int_equal(og_fsync_tree("t", NULL), ONNXGATE_IO);
}

static void test_dir__times(void **state)
{
	(void)state;
	assert_int_equal(og_mtime("absent"), -1);
	og_touch("absent");
	put("f", "x");
	int64_t t = og_mtime("f");
	assert_true(t > 1000000000);
	og_touch("f");
	assert_true(og_mtime("f") >= t);
	assert_true(og_changed_since("f", "f"));
	assert_false(og_changed_since("absent", "f"));
	assert_false(og_changed_since("f", "absent"));
	usleep(20000);
	put("g", "x");
	assert_true(og_changed_since("g", "f"));
	assert_false(og_changed_since("f", "g"));
	assert_false(og_on_network("absent"));
	assert_false(og_on_network("/proc"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, make_home, remove_home)
	const struct CMUnitTest tests[] = {
		T(test_dir__new_ones_differ_and_obey_the_umask),
		T(test_dir__replace_by_exchange),
		T(test_dir__replace_where_exchange_is_not_known),
		T(test_dir__file_below),
		T(test_dir__fsync_tree),
		T(test_dir__times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
