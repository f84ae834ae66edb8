/* SPDX-License-Identifier: Apache-2.0
 *
 * og_tmpfile of base/file.h: whole or not at all. */
#include "scratch.h"

#include "base/path.h"
#include "base/str.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_tmpfile__appears_only_when_committed(void **state)
{
	og_tmpfile *t = NULL;
	(void)state;
	scratch_write(scratch("a"), "old");
	assert_int_equal(og_tmpfile_open(scratch("a"), NULL, &t, NULL), OG_OK);
	assert_int_equal(og_write_all(og_tmpfile_fd(t), "new", 3, "a", NULL), OG_OK);
	scratch_expect(scratch("a"), "old");
	assert_int_equal(og_tmpfile_commit(t, NULL), OG_OK);
	assert_int_equal(og_tmpfile_commit(t, NULL), OG_OK);
	scratch_expect(scratch("a"), "new");
	og_tmpfile_free(t);
	scratch_expect(scratch("a"), "new");
	assert_int_equal(scratch_count(scratch_dir), 1);
}

static void test_tmpfile__is_removed_unless_committed(void **state)
{
	og_tmpfile *t = NULL;
	(void)state;
	assert_int_equal(og_tmpfile_open(scratch("a"), NULL, &t, NULL), OG_OK);
	assert_int_equal(scratch_count(scratch_dir), 1);
	og_tmpfile_free(t);
	assert_int_equal(scratch_count(scratch_dir), 0);
	og_tmpfile_free(NULL);
}

static void test_tmpfile__names(void **state)
{
	og_tmpfile *t[20];
	(void)state;
	for (int i = 0; i < 20; i++) {
		const char *name;
		assert_int_equal(og_tmpfile_open(scratch("m.onnx"), i % 2 ? ".incomplete" : NULL, &t[i], NULL), OG_OK);
		name = og_path_base(og_tmpfile_path(t[i]));
		assert_true(og_glob(i % 2 ? "m.onnx.*.incomplete" : ".m.onnx.*.tmp", name));
	}
	assert_int_equal(scratch_count(scratch_dir), 20);
	for (int i = 0; i < 20; i++)
		og_tmpfile_free(t[i]);
}

static void test_tmpfile__the_longest_name_works(void **state)
{
	char name[NAME_MAX + 2], path[1024];
	(void)state;
	memset(name, 0, sizeof name);
	for (int i = 0; i + 3 <= NAME_MAX; i += 3)
		memcpy(name + i, "\xe2\x82\xac", 3);
	snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
	for (int i = 0; i < 2; i++) {
		og_auto(og_tmpfile) *t = NULL;
		const char *base;
		assert_int_equal(og_tmpfile_open(path, i ? ".incomplete" : NULL, &t, NULL), OG_OK);
		base = og_path_base(og_tmpfile_path(t));
		assert_true(og_utf8_valid((const uint8_t *)base, strlen(base)));
		assert_int_equal(og_tmpfile_commit(t, NULL), OG_OK);
	}
	assert_true(og_file_exists(path));
	assert_int_equal(scratch_count(scratch_dir), 1);
}

static void test_tmpfile__mode_follows_the_umask(void **state)
{
	static const mode_t masks[] = { 022, 002, 077 };
	(void)state;
	for (size_t i = 0; i < OG_COUNT(masks); i++) {
		mode_t old = umask(masks[i]);
		struct stat st;
		og_status s = og_file_write(scratch("a"), "x", 1, NULL);
		umask(old);
		assert_int_equal(s, OG_OK);
		assert_int_equal(stat(scratch("a"), &st), 0);
		assert_int_equal(st.st_mode & 0777, 0666 & ~masks[i]);
	}
}

static void test_tmpfile__a_target_without_folder_is_in_this_one(void **state)
{
	char *cwd = getcwd(NULL, 0);
	og_auto(og_tmpfile) *t = NULL;
	(void)state;
	assert_int_equal(chdir(scratch_dir), 0);
	assert_int_equal(og_tmpfile_open("plain", NULL, &t, NULL), OG_OK);
	assert_int_equal(og_tmpfile_commit(t, NULL), OG_OK);
	assert_int_equal(chdir(cwd), 0);
	free(cwd);
	assert_true(og_file_exists(scratch("plain")));
}

/* What a killed process left goes when the same target is written again; what somebody is writing stays. */
static void test_tmpfile__the_dead_are_cleared_away(void **state)
{
	og_tmpfile *living = NULL, *t = NULL;
	(void)state;
	scratch_write(scratch(".file.1a2b-01234567.tmp"), "dead");
	scratch_write(scratch(".other.1a2b-01234567.tmp"), "of another target");
	scratch_write(scratch(".file.1a2b-0123456.tmp"), "no name of ours");
	assert_int_equal(og_tmpfile_open(scratch("file"), NULL, &living, NULL), OG_OK);
	assert_int_equal(og_tmpfile_open(scratch("file"), NULL, &t, NULL), OG_OK);
	assert_false(og_file_exists(scratch(".file.1a2b-01234567.tmp")));
	assert_true(og_file_exists(scratch(".other.1a2b-01234567.tmp")));
	assert_true(og_file_exists(scratch(".file.1a2b-0123456.tmp")));
	assert_true(og_file_exists(og_tmpfile_path(living)));
	assert_int_equal(og_tmpfile_commit(living, NULL), OG_OK);
	assert_int_equal(og_tmpfile_commit(t, NULL), OG_OK);
	og_tmpfile_free(living);
	og_tmpfile_free(t);
	assert_int_equal(scratch_count(scratch_dir), 3);
}

static void test_tmpfile__unlinked_has_no_name(void **state)
{
	struct stat st;
	og_dirlist l = { NULL, 0 };
	og_error err = { 0 };
	char text[4] = "";
	int fd = -1;
	(void)state;
	setenv("TMPDIR", scratch_dir, 1);
	assert_int_equal(og_file_unlinked(&fd, &err), OG_OK);
	assert_int_equal(og_pwrite_all(fd, "abc", 3, 0, "x", &err), OG_OK);
	assert_int_equal(pread(fd, text, 3, 0), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(og_dir_list(scratch_dir, &l, NULL), OG_OK);
	assert_int_equal(l.n, 0);
	og_dirlist_done(&l);
	close(fd);
	setenv("TMPDIR", scratch("none"), 1);
	assert_int_equal(og_file_unlinked(&fd, &err), ONNXGATE_IO);
	assert_non_null(strstr(err.message, "/none"));
	assert_int_equal(fd, -1);
	unsetenv("TMPDIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_tmpfile__appears_only_when_committed),
		SCRATCH_TEST(test_tmpfile__is_removed_unless_committed),
		SCRATCH_TEST(test_tmpfile__names),
		SCRATCH_TEST(test_tmpfile__the_longest_name_works),
		SCRATCH_TEST(test_tmpfile__mode_follows_the_umask),
		SCRATCH_TEST(test_tmpfile__a_target_without_folder_is_in_this_one),
		SCRATCH_TEST(test_tmpfile__the_dead_are_cleared_away),
		SCRATCH_TEST(test_tmpfile__unlinked_has_no_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
