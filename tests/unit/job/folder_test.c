/* SPDX-License-Identifier: Apache-2.0
 *
 * An output folder is whole or absent, whatever happens in between. */
#include "fixture.h"

#include "job/folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static void fill(const og_folder *f, const char *text)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/model.onnx", og_folder_path(f));
	assert_int_equal(og_file_write(path, text, strlen(text), NULL), OG_OK);
}

static void holds(const char *path, const char *text)
{
	og_auto_buf b;
	og_buf_init(&b, 100);
	assert_int_equal(og_file_read(path, 100, &b, NULL), OG_OK);
	assert_string_equal(og_buf_cstr(&b), text);
}

static void test_folder__appears_at_commit(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_auto(og_folder) *f = NULL;
	assert_int_equal(og_folder_begin(at("a/b/out"), false, &f, &err), OG_OK);
	fill(f, "one");
	assert_false(og_file_exists(at("a/b/out")));
	assert_int_equal(og_folder_commit(f, &err), OG_OK);
	assert_string_equal(og_folder_path(f), at("a/b/out"));
	holds(at("a/b/out/model.onnx"), "one");
	assert_int_equal(count_entries(at("a/b")), 1);
}

static void test_folder__nothing_is_left_without_commit(void **state)
{
	(void)state;
	og_folder *f = NULL;
	assert_int_equal(og_folder_begin(at("a/b/out"), false, &f, NULL), OG_OK);
	fill(f, "one");
	og_folder_free(f);
	assert_int_equal(count_entries(scratch), 0); /* the folders above it, too */
}

static void test_folder__folders_above_that_were_there_stay(void **state)
{
	(void)state;
	og_folder *f = NULL;
	assert_int_equal(og_mkdirs(at("a"), NULL), OG_OK);
	assert_int_equal(og_folder_begin(at("a/b/out"), false, &f, NULL), OG_OK);
	og_folder_free(f);
	assert_true(og_dir_exists(at("a")));
	assert_false(og_dir_exists(at("a/b")));
}

static void test_folder__spares_what_is_below(void **state)
{
	(void)state;
	og_error err = { 0 };
	assert_int_equal(og_mkdirs(at("a/b"), NULL), OG_OK);
	assert_int_equal(og_mkdirs(at("a/bc"), NULL), OG_OK);
	put("a/b/precious", "text");
	put("a/bc/mine", "text");
	assert_int_equal(og_folder_spares(at("a/b"), at("a/b"), "the source", &err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.message, "would remove the source"));
	assert_int_equal(og_folder_spares(at("a"), at("a/b"), "the source", NULL), ONNXGATE_INVALID);
	assert_int_equal(og_folder_spares("/", at("a/b"), "the source", NULL), ONNXGATE_INVALID);
	assert_int_equal(symlink("a", at("way")), 0);
	assert_int_equal(og_folder_spares(at("way"), at("a/b"), "the source", NULL), ONNXGATE_INVALID);
	assert_int_equal(og_folder_spares(at("a/b"), at("a/bc"), "the source", &err), OG_OK); /* not below, only spelled alike */
	assert_int_equal(og_folder_spares(at("a/bc"), at("a"), "the source", &err), OG_OK);	  /* above */
	assert_int_equal(og_folder_spares(at("absent"), at("a"), "the source", &err), OG_OK);
	assert_int_equal(og_folder_spares(at("a"), at("absent"), "the source", &err), OG_OK);
	assert_int_equal(og_mkdirs(at("empty"), NULL), OG_OK);
	assert_int_equal(og_folder_spares(at("empty"), at("empty"), "the source", &err), OG_OK);
}

static void test_folder__what_is_there_is_not_touched(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_folder *f = NULL;
	assert_int_equal(og_mkdirs(at("out"), NULL), OG_OK);
	assert_int_equal(og_folder_check(at("out"), false, &err), OG_OK); /* empty: fine */
	put("out/mine", "text");
	assert_int_equal(og_folder_begin(at("out"), false, &f, &err), ONNXGATE_INVALID);
	assert_non_null(strstr(err.hint, "--force"));
	put("file", "text");
	assert_int_equal(og_folder_begin(at("file"), true, &f, &err), ONNXGATE_INVALID);
	holds(at("out/mine"), "text");
	assert_int_equal(count_entries(scratch), 2);
}

static void test_folder__force_replaces(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_folder *f = NULL;
	assert_int_equal(og_mkdirs(at("out"), NULL), OG_OK);
	put("out/old", "text");
	assert_int_equal(og_folder_begin(at("out"), true, &f, &err), OG_OK);
	fill(f, "two");
	assert_int_equal(og_folder_commit(f, &err), OG_OK);
	og_folder_free(f);
	assert_false(og_file_exists(at("out/old")));
	holds(at("out/model.onnx"), "two");
	assert_int_equal(count_entries(scratch), 1);
}

static void test_folder__into_an_empty_one(void **state)
{
	(void)state;
	og_folder *f = NULL;
	assert_int_equal(og_mkdirs(at("out"), NULL), OG_OK);
	assert_int_equal(og_folder_begin(at("out"), false, &f, NULL), OG_OK);
	fill(f, "one");
	assert_int_equal(og_folder_commit(f, NULL), OG_OK);
	og_folder_free(f);
	holds(at("out/model.onnx"), "one");
	assert_int_equal(count_entries(scratch), 1);
}

static void test_folder__somebody_filled_it_meanwhile(void **state)
{
	(void)state;
	og_error err = { 0 };
	og_folder *f = NULL;
	assert_int_equal(og_folder_begin(at("out"), false, &f, NULL), OG_OK);
	fill(f, "one");
	assert_int_equal(og_mkdirs(at("out"), NULL), OG_OK);
	put("out/mine", "text");
	assert_int_equal(og_folder_commit(f, &err), ONNXGATE_INVALID);
	og_folder_free(f);
	holds(at("out/mine"), "text");
	assert_int_equal(count_entries(scratch), 1);
}

static void test_folder__what_the_dead_left_is_removed(void **state)
{
	(void)state;
	og_folder *f = NULL;
	static const char *const dead = ".out.onnxgate-tmp.0123456789abcdef", *const living = ".out.onnxgate-tmp.1123456789abcdef",
	                         *const other = ".output.onnxgate-tmp.0123456789abcdef";
	assert_int_equal(og_mkdirs(at(dead), NULL), OG_OK);
	assert_int_equal(og_mkdirs(at(living), NULL), OG_OK);
	assert_int_equal(og_mkdirs(at(other), NULL), OG_OK);
	int lock = open(at(living), O_RDONLY | O_DIRECTORY);
	assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(og_folder_begin(at("out"), false, &f, NULL), OG_OK);
	assert_false(og_file_exists(at(dead)));
	assert_true(og_file_exists(at(living)));
	assert_true(og_file_exists(at(other)));
	og_folder_free(f);
	close(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_folder__appears_at_commit),
		TEST(test_folder__nothing_is_left_without_commit),
		TEST(test_folder__folders_above_that_were_there_stay),
		TEST(test_folder__spares_what_is_below),
		TEST(test_folder__what_is_there_is_not_touched),
		TEST(test_folder__force_replaces),
		TEST(test_folder__into_an_empty_one),
		TEST(test_folder__somebody_filled_it_meanwhile),
		TEST(test_folder__what_the_dead_left_is_removed),
	};
	return cmocka_run_group_tests_name("job/folder", tests, NULL, NULL);
}
