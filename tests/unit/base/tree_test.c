/* SPDX-License-Identifier: Apache-2.0
 *
 * og_dir_list and og_remove_tree of base/file.h. */
#include "scratch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_tree__listing_is_sorted_bytewise(void **state)
{
	static const char *const names[] = { "b", "a", "B", "\xc3\xa4", ".hidden", "a.x", "a-" };
	static const char *const want[] = { ".hidden", "B", "a", "a-", "a.x", "b", "\xc3\xa4" };
	og_dirlist l;
	(void)state;
	for (size_t i = 0; i < OG_COUNT(names); i++)
		scratch_write(scratch(names[i]), "");
	assert_int_equal(og_dir_list(scratch_dir, &l, NULL), OG_OK);
	assert_int_equal(l.n, OG_COUNT(want));
	for (size_t i = 0; i < l.n; i++)
		assert_string_equal(l.names[i], want[i]);
	og_dirlist_done(&l);
	assert_null(l.names);
}

static void test_tree__listing_fails_by_name(void **state)
{
	og_dirlist l = { NULL, 77 };
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_dir_list(scratch("none"), &l, &err), ONNXGATE_NOT_FOUND);
	scratch_write(scratch("file"), "");
	assert_int_equal(og_dir_list(scratch("file"), &l, &err), ONNXGATE_IO);
	assert_int_equal(l.n, 77);
	assert_int_equal(mkdir(scratch("empty"), 0777), 0);
	assert_int_equal(og_dir_list(scratch("empty"), &l, &err), OG_OK);
	assert_int_equal(l.n, 0);
	og_dirlist_done(&l);
}

static void test_tree__removal_does_not_follow_links(void **state)
{
	(void)state;
	assert_int_equal(og_mkdirs(scratch("keep"), NULL), OG_OK);
	scratch_write(scratch("keep/file"), "precious");
	assert_int_equal(og_mkdirs(scratch("tree/a/b"), NULL), OG_OK);
	scratch_write(scratch("tree/a/b/file"), "x");
	assert_int_equal(symlink("../../keep", scratch("tree/a/link")), 0);
	assert_int_equal(symlink("../keep/file", scratch("tree/link")), 0);
	assert_int_equal(symlink("keep", scratch("toplink")), 0);
	assert_int_equal(og_remove_tree(scratch("tree"), NULL), OG_OK);
	assert_int_equal(og_remove_tree(scratch("toplink"), NULL), OG_OK);
	assert_false(og_file_exists(scratch("tree")));
	scratch_expect(scratch("keep/file"), "precious");
	assert_int_equal(scratch_count(scratch_dir), 1);
}

static void test_tree__removal_of_nothing_or_a_file(void **state)
{
	(void)state;
	assert_int_equal(og_remove_tree(scratch("none"), NULL), OG_OK);
	assert_int_equal(og_remove_tree(scratch("none/deeper"), NULL), OG_OK);
	scratch_write(scratch("file"), "x");
	assert_int_equal(og_remove_tree(scratch("file"), NULL), OG_OK);
	assert_false(og_file_exists(scratch("file")));
}

static void test_tree__many_entries(void **state)
{
	(void)state;
	assert_int_equal(og_mkdirs(scratch("many"), NULL), OG_OK);
	for (int i = 0; i < 3000; i++) {
		char name[64];
		snprintf(name, sizeof name, "many/file-with-a-longer-name-%d", i);
		scratch_write(scratch(name), "");
	}
	assert_int_equal(scratch_count(scratch("many")), 3000);
	assert_int_equal(og_remove_tree(scratch("many"), NULL), OG_OK);
	assert_false(og_file_exists(scratch("many")));
}

static void test_tree__depth_is_limited_not_the_stack(void **state)
{
	og_error err = { 0 };
	int top = open(scratch_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), at = dup(top);
	(void)state;
	for (int i = 0; i < 300; i++) {
		int next;
		assert_int_equal(mkdirat(at, "d", 0777), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(og_remove_tree(scratch("d"), &err), ONNXGATE_IO);
	assert_true(err.message[0]);
	/* For the clean-up: lift the lower levels up until the rest is shallow enough. */
	for (int i = 0; i < 3; i++) {
		char deep[256] = "", name[8];
		for (int j = 0; j < 100; j++)
			strcat(deep, j ? "/d" : "d");
		snprintf(name, sizeof name, "part%d", i);
		if (renameat(top, deep, top, name))
			continue;
		assert_int_equal(og_remove_tree(scratch("d"), NULL), OG_OK);
		assert_int_equal(renameat(top, name, top, "d"), 0);
	}
	close(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_tree__listing_is_sorted_bytewise),
		SCRATCH_TEST(test_tree__listing_fails_by_name),
		SCRATCH_TEST(test_tree__removal_does_not_follow_links),
		SCRATCH_TEST(test_tree__removal_of_nothing_or_a_file),
		SCRATCH_TEST(test_tree__many_entries),
		SCRATCH_TEST(test_tree__depth_is_limited_not_the_stack),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
