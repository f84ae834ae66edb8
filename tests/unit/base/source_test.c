/* SPDX-License-Identifier: Apache-2.0
 *
 * base/source.h: ranges are checked, a file that shrinks ends in an error. */
#include "scratch.h"

#include "base/pool.h"
#include "base/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_ranges(og_source *s)
{
	char b[11] = { 0 };
	og_error err = { 0 };
	assert_int_equal(s->size, 10);
	assert_int_equal(og_source_read(s, 0, b, 10, NULL), OG_OK);
	assert_string_equal(b, "0123456789");
	assert_int_equal(og_source_read(s, 7, b, 3, NULL), OG_OK);
	assert_memory_equal(b, "789", 3);
	assert_int_equal(og_source_read(s, 10, b, 0, NULL), OG_OK);
	assert_int_equal(og_source_read(s, 11, b, 0, NULL), ONNXGATE_FORMAT);
	assert_int_equal(og_source_read(s, 8, b, 3, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "truncated: 3 bytes expected at offset 8, the file has 10"));
	assert_true(err.offset == 8);
	assert_int_equal(og_source_read(s, UINT64_MAX, b, 2, NULL), ONNXGATE_FORMAT);
	assert_int_equal(og_source_read(s, 2, b, SIZE_MAX, NULL), ONNXGATE_FORMAT);
}

static void test_source__file(void **state)
{
	og_auto(og_source) *s = NULL;
	(void)state;
	scratch_write(scratch("a"), "0123456789");
	assert_int_equal(symlink("a", scratch("link")), 0);
	assert_int_equal(og_source_open(scratch("link"), &s, NULL), OG_OK);
	assert_string_equal(s->name, scratch("link"));
	assert_true(s->fd >= 0);
	check_ranges(s);
}

static void test_source__memory_is_copied(void **state)
{
	og_auto(og_source) *s = NULL;
	og_auto(og_source) *empty = NULL;
	char text[] = "0123456789";
	(void)state;
	assert_int_equal(og_source_memory("part", text, 10, &s, NULL), OG_OK);
	memset(text, 0, sizeof text);
	assert_string_equal(s->name, "part");
	assert_int_equal(s->fd, -1);
	check_ranges(s);
	assert_int_equal(og_source_memory("empty", NULL, 0, &empty, NULL), OG_OK);
	assert_int_equal(empty->size, 0);
}

static void test_source__refuses_by_kind(void **state)
{
	og_source *s = NULL;
	og_error err = { 0 };
	(void)state;
	assert_int_equal(og_source_open(scratch("none"), &s, &err), ONNXGATE_NOT_FOUND);
	assert_int_equal(og_source_open(scratch_dir, &s, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "is a folder"));
	assert_int_equal(mkfifo(scratch("fifo"), 0600), 0);
	assert_int_equal(og_source_open(scratch("fifo"), &s, &err), ONNXGATE_FORMAT);
	assert_int_equal(og_source_open("/dev/zero", &s, &err), ONNXGATE_FORMAT);
	assert_null(s);
}

static void test_source__a_file_that_shrinks_is_an_error(void **state)
{
	og_auto(og_source) *s = NULL;
	og_error err = { 0 };
	char b[10];
	(void)state;
	scratch_write(scratch("a"), "0123456789");
	assert_int_equal(og_source_open(scratch("a"), &s, NULL), OG_OK);
	assert_int_equal(truncate(scratch("a"), 4), 0);
	assert_int_equal(og_source_read(s, 0, b, 10, &err), ONNXGATE_FORMAT);
	assert_non_null(strstr(err.message, "truncated while it was read: expected 10 bytes, found 4"));
	assert_int_equal(og_source_read(s, 0, b, 4, &err), OG_OK);
}

static og_status read_piece(void *arg, int worker, size_t item, og_error *err)
{
	char b[2], want[2] = { (char)('0' + item % 9), (char)('0' + item % 9 + 1) };
	(void)worker;
	OG_TRY(og_source_read(arg, item % 9, b, 2, err));
	return memcmp(b, want, 2) ? og_fail(err, ONNXGATE_MISMATCH, "item %zu", item) : OG_OK;
}

static void test_source__a_file_that_is_written_to_has_changed(void **state)
{
	og_auto(og_source) *s = NULL, *m = NULL;
	og_error err = { 0 };
	(void)state;
	scratch_write(scratch("a"), "0123456789");
	assert_int_equal(og_source_open(scratch("a"), &s, NULL), OG_OK);
	assert_int_equal(og_source_unchanged(s, NULL), OG_OK);
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000 } };
	assert_int_equal(rename(scratch("a"), scratch("b")), 0); /* the file itself is the same */
	assert_int_equal(og_source_unchanged(s, NULL), OG_OK);
	assert_int_equal(utimensat(AT_FDCWD, scratch("b"), times, 0), 0);
	assert_int_equal(og_source_unchanged(s, &err), ONNXGATE_MISMATCH);
	assert_non_null(strstr(err.message, "wrote to it"));
	assert_int_equal(og_source_memory("m", "x", 1, &m, NULL), OG_OK);
	assert_int_equal(og_source_unchanged(m, NULL), OG_OK);
}

static void test_source__may_be_read_by_many_threads(void **state)
{
	og_auto(og_source) *s = NULL;
	(void)state;
	scratch_write(scratch("a"), "0123456789");
	assert_int_equal(og_source_open(scratch("a"), &s, NULL), OG_OK);
	assert_int_equal(og_pool_run(4, 2000, read_piece, s, NULL), OG_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_source__file),
		SCRATCH_TEST(test_source__memory_is_copied),
		SCRATCH_TEST(test_source__refuses_by_kind),
		SCRATCH_TEST(test_source__a_file_that_shrinks_is_an_error),
		SCRATCH_TEST(test_source__a_file_that_is_written_to_has_changed),
		SCRATCH_TEST(test_source__may_be_read_by_many_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
